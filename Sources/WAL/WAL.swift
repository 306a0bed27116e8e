// WAL
