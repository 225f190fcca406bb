"""Search: words become a wish, and a wish an order of the catalogue. Knows a Catalog, no visitors and no server."""
