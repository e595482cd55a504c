package document

// LetGoLateOnce is one look of the background work, for a test that does not wait for the next.
var LetGoLateOnce = letGoLateOnce
