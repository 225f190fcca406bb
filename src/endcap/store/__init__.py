"""What happens while the shop is open: events, catalogue changes, rules, recommendations; SQLite or PostgreSQL."""
