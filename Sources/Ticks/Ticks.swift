// Ticks
