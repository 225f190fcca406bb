"""From a request to a list: history, scores, filters, rules, reasons; for the API, pages and Python users alike."""
