package task

// EraseLateOnce is one look of the background work, for a test that does not wait for the next.
var EraseLateOnce = eraseLateOnce

// ShelfLife is how long a process keeps what it has read of lookups and templates.
const ShelfLife = shelfLife
