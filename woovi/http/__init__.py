"""Incoming HTTP: body limits and WebSockets. Outgoing HTTP: safe calls to URLs that merchants gave us."""
