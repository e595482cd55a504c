package gateway

import (
	"fmt"
	"net/netip"
	"strings"

	"hearth.internal/pkg/config"
)

// Config is what the gateway reads from the environment.
type Config struct {
	config.Service
	CORSOrigins    []string `env:"CORS_ORIGINS" doc:"Origins of web pages that may call the API, such as https://app.example.com, separated by commas; none: browsers elsewhere may not"`
	TrustedProxies Networks `env:"TRUSTED_PROXIES" doc:"Addresses or CIDR ranges of the load balancers in front, separated by commas: only they are believed about X-Forwarded-For and X-Forwarded-Proto"`
	BodyLimit      int      `env:"BODY_LIMIT" envDefault:"1048576" doc:"Bytes that a request's body may have"`
	UploadLimit    int      `env:"UPLOAD_LIMIT" envDefault:"27262976" doc:"Bytes that an upload may have, its multipart envelope included"`
}

// withDefaults is for a configuration that did not come from the environment.
func (c Config) withDefaults() Config {
	if c.BodyLimit == 0 {
		c.BodyLimit = 1 << 20
	}
	if c.UploadLimit == 0 {
		c.UploadLimit = 26 << 20
	}
	return c
}

// Networks are ranges of addresses.
type Networks []netip.Prefix

// UnmarshalText reads CIDR ranges and single addresses, separated by commas.
func (n *Networks) UnmarshalText(text []byte) error {
	for part := range strings.SplitSeq(string(text), ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		if !strings.Contains(part, "/") {
			addr, err := netip.ParseAddr(part)
			if err != nil {
				return fmt.Errorf("%q is no address", part)
			}
			*n = append(*n, netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen()))
			continue
		}
		prefix, err := netip.ParsePrefix(part)
		if err != nil {
			return fmt.Errorf("%q is no range of addresses", part)
		}
		*n = append(*n, prefix.Masked())
	}
	return nil
}

// Contains reports whether the address is in one of the ranges.
func (n Networks) Contains(addr netip.Addr) bool {
	for _, prefix := range n {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}
