"""From what is known of products to numbers: tables, text, photos, and one code per product."""
