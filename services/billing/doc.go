// Package billing keeps who pays for what: subscriptions, the plans that they stand for, and the limits that follow.
//
// Tables: plans, what each tier allows; settings, whether limits count at all; subscriptions, one for every person.
//
// Events in: user.registered. Events out: none. Services called: none.
package billing
