// Package admin serves the staff: the panel with its dashboard, and the log of what staff changed.
//
// Tables: signups, how many people registered on each UTC day.
//
// Events in: user.registered. Events out: none. Services called: none.
package admin
