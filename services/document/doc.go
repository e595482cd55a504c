// Package document keeps the papers of residences: documents, warranties and photos, and the blobs behind them.
// Uploads, documents and media are its nouns, each with its own files beside these.
//
// Tables: gone_residences, the residences that nothing may be stored for any more and whose papers are collected.
//
// Events in: residence.deleted. Events out: none. Services called: residence, for who sees what (pkg/access).
package document
