// Shippers
