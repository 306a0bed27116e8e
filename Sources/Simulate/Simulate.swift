// Simulate
