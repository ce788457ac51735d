"""Who may ask, from where, and what every answer says about itself: pure ASGI, so that it costs microseconds."""
