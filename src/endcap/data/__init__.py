"""From raw files to histories: sources, tables, cleaning, splits. Knows no models."""
