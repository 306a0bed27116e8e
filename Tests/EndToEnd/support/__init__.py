"""What the end-to-end tests stand on: processes, servers, and an oracle that shares no code with tickwal."""
