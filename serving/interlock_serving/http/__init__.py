"""A request over HTTP and its answer, as the application and its layers see them."""
