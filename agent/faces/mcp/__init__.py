"""The Model Context Protocol face: our tools for Claude Desktop, editors and every other client of the protocol.

`server` speaks the protocol, `offers` says which tools there are, `desk` does their work, `jobs` lets one piece of it
run at a time, `pictures` reads what a client gives and draws what it is shown, `serving` opens the transports.
"""
