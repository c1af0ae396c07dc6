"""Published methods and protocols, as data: every value with its source."""
