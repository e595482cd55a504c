package push

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/golang-jwt/jwt/v5"
	"github.com/sideshow/apns2/token"
	oauth "golang.org/x/oauth2/google"
	oauthjwt "golang.org/x/oauth2/jwt"
	"google.golang.org/api/fcm/v1"
)

// Config is how both providers are reached.
type Config struct {
	APNsConfig
	FCMConfig
}

// APNsConfig is how Apple's push service is reached; without it nothing is pushed to iPhones.
type APNsConfig struct {
	APNsKey        string `env:"APNS_KEY" secret:"true" doc:"Apple's pushes: the key that signs for us, as the text of its .p8 file; empty: nothing is pushed to iPhones"`
	APNsKeyID      string `env:"APNS_KEY_ID" doc:"Apple's pushes: the id of that key, 10 characters"`
	APNsTeamID     string `env:"APNS_TEAM_ID" doc:"Apple's pushes: the id of the developer team, 10 characters"`
	APNsTopic      string `env:"APNS_TOPIC" doc:"Apple's pushes: the app's bundle id"`
	APNsURL        string `env:"APNS_URL" envDefault:"https://api.push.apple.com" doc:"Apple's pushes: where they go"`
	APNsSandboxURL string `env:"APNS_SANDBOX_URL" envDefault:"https://api.sandbox.push.apple.com" doc:"Apple's pushes: where those go that are for apps run from Xcode"`
	APNsCAFile     string `env:"APNS_CA_FILE" doc:"Apple's pushes: a PEM file with the certificates that theirs have to lead up to; empty: the system's"`
}

// FCMConfig is how Firebase Cloud Messaging is reached; without it nothing is pushed to Android.
type FCMConfig struct {
	FCMCredentials string `env:"FCM_CREDENTIALS" secret:"true" doc:"Google's pushes: the JSON key of the service account that sends them; empty: nothing is pushed to Android"`
	FCMProject     string `env:"FCM_PROJECT" doc:"Google's pushes: the id of the Firebase project; empty: the one that the key names"`
	FCMURL         string `env:"FCM_URL" envDefault:"https://fcm.googleapis.com" doc:"Google's pushes: where they go"`
}

// given says whether Apple is configured. Half a configuration is an error.
func (c APNsConfig) given() (bool, error) {
	needed := []string{c.APNsKey, c.APNsKeyID, c.APNsTeamID, c.APNsTopic}
	switch {
	case !slices.ContainsFunc(needed, func(v string) bool { return v != "" }):
		return false, nil
	case slices.Contains(needed, ""):
		return false, errors.New("HEARTH_APNS_KEY, HEARTH_APNS_KEY_ID, HEARTH_APNS_TEAM_ID and HEARTH_APNS_TOPIC are needed together")
	case !printable(c.APNsTopic):
		return false, errors.New("HEARTH_APNS_TOPIC is not a bundle id")
	}
	// HTTP/2 as Apple speaks it is there with TLS alone.
	for name, address := range map[string]string{"URL": c.APNsURL, "SANDBOX_URL": c.APNsSandboxURL} {
		if u, err := url.Parse(address); err != nil || u.Scheme != "https" || u.Host == "" {
			return false, fmt.Errorf("HEARTH_APNS_%s is not an https URL", name)
		}
	}
	return true, nil
}

// key is the key itself. The error shows nothing of it.
func (c APNsConfig) key() (*ecdsa.PrivateKey, error) {
	key, err := token.AuthKeyFromBytes([]byte(c.APNsKey))
	if err != nil || key.Curve != elliptic.P256() {
		return nil, errors.New("HEARTH_APNS_KEY is not the text of a .p8 file: a PEM with a P-256 key")
	}
	return key, nil
}

// roots answers the certificates to trust; nil: the system's.
func (c APNsConfig) roots() (*x509.CertPool, error) {
	if c.APNsCAFile == "" {
		return nil, nil //nolint:nilnil // as crypto/tls reads it
	}
	text, err := os.ReadFile(c.APNsCAFile)
	if err != nil {
		return nil, fmt.Errorf("HEARTH_APNS_CA_FILE: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, errors.New("there is no certificate in HEARTH_APNS_CA_FILE")
	}
	return pool, nil
}

// given says whether Google is configured.
func (c FCMConfig) given() (bool, error) {
	if c.FCMCredentials == "" {
		if c.FCMProject != "" {
			return false, errors.New("HEARTH_FCM_PROJECT is set, but no HEARTH_FCM_CREDENTIALS")
		}
		return false, nil
	}
	if u, err := url.Parse(c.FCMURL); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return false, errors.New("HEARTH_FCM_URL is not a URL")
	}
	return true, nil
}

// account is the service account of the key, and the project to push in. The error shows nothing of the key.
func (c FCMConfig) account() (*oauthjwt.Config, string, error) {
	account, err := oauth.JWTConfigFromJSON([]byte(c.FCMCredentials), fcm.FirebaseMessagingScope)
	if err != nil {
		return nil, "", errors.New("HEARTH_FCM_CREDENTIALS is not the JSON key of a service account")
	}
	if _, err := jwt.ParseRSAPrivateKeyFromPEM(account.PrivateKey); err != nil || account.Email == "" {
		return nil, "", errors.New("HEARTH_FCM_CREDENTIALS has no client_email or no private_key")
	}
	project := c.FCMProject
	if project == "" {
		var named struct {
			ProjectID string `json:"project_id"`
		}
		if err := json.Unmarshal([]byte(c.FCMCredentials), &named); err != nil || named.ProjectID == "" {
			return nil, "", errors.New("HEARTH_FCM_CREDENTIALS names no project_id: set HEARTH_FCM_PROJECT")
		}
		project = named.ProjectID
	}
	if !printable(project) || strings.ContainsAny(project, "/?#%") {
		return nil, "", errors.New("HEARTH_FCM_PROJECT is not the id of a project")
	}
	return account, project, nil
}

// printable: it may stand in a header as it is.
func printable(s string) bool {
	return !slices.ContainsFunc([]byte(s), func(c byte) bool { return c <= ' ' || c > '~' })
}
