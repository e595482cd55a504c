//go:build !linux

package stores

import "syscall"

// dieWithParent cannot be had here: a server that outlives a killed run is stopped by the next start.
func dieWithParent(*syscall.SysProcAttr, syscall.Signal) {}
