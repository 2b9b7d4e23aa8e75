"""Services: the functions that change state. API, pages, admin and tasks call them and nothing else to do so."""
