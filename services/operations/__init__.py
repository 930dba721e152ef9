"""The operators' command line, for whichever databases and bus the services run on."""
