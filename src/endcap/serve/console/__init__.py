"""The console: what a merchandiser sees and sets, as pages."""
