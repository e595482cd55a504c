//go:build !unix

package gateway

import "net"

// stillOpen cannot be known here without reading.
func stillOpen(net.Conn) bool { return true }

// quiet cannot be known here without reading.
func quiet(net.Conn) func() bool { return func() bool { return true } }
