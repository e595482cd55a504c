package appstore

import (
	"encoding/json"
	"errors"
	"time"
)

// Millis is an instant in milliseconds since 1970; 0: none.
type Millis int64

const year10000 = 253402300800000 // what lies beyond, RFC 3339 cannot say

// UnmarshalJSON refuses what no calendar has.
func (m *Millis) UnmarshalJSON(text []byte) error {
	var n int64
	if err := json.Unmarshal(text, &n); err != nil {
		return err
	}
	if n < 0 || n >= year10000 {
		return errors.New("an instant is out of range")
	}
	*m = Millis(n)
	return nil
}

// Time is the instant.
func (m Millis) Time() time.Time { return time.UnixMilli(int64(m)).UTC() }

// Pointer is the instant, nil where there is none.
func (m Millis) Pointer() *time.Time {
	if m == 0 {
		return nil
	}
	return new(m.Time())
}

// The environments that sign.
const (
	Production = "Production"
	Sandbox    = "Sandbox"
)

// AutoRenewable is the type of the transactions that are subscriptions.
const AutoRenewable = "Auto-Renewable Subscription"

// FreeTrial is the discount of a transaction that nothing was paid for.
const FreeTrial = "FREE_TRIAL"

// Transaction is one period of a subscription, or another purchase. (JWSTransactionDecodedPayload)
type Transaction struct {
	TransactionID         string `json:"transactionId"`
	OriginalTransactionID string `json:"originalTransactionId"` // the same for all periods
	BundleID              string `json:"bundleId"`
	ProductID             string `json:"productId"`
	Type                  string `json:"type"`
	Environment           string `json:"environment"`
	AppAccountToken       string `json:"appAccountToken"`
	OfferDiscountType     string `json:"offerDiscountType"`
	PurchaseDate          Millis `json:"purchaseDate"`
	OriginalPurchaseDate  Millis `json:"originalPurchaseDate"`
	ExpiresDate           Millis `json:"expiresDate"`
	RevocationDate        Millis `json:"revocationDate"`
	SignedDate            Millis `json:"signedDate"`
	IsUpgraded            bool   `json:"isUpgraded"` // another period of a better product has taken its place
}

// Renewal is what comes after the present period. (JWSRenewalInfoDecodedPayload)
type Renewal struct {
	OriginalTransactionID  string `json:"originalTransactionId"`
	ProductID              string `json:"productId"` // of the present period
	Environment            string `json:"environment"`
	AutoRenewStatus        int    `json:"autoRenewStatus"` // 1: on
	IsInBillingRetryPeriod bool   `json:"isInBillingRetryPeriod"`
	GracePeriodExpiresDate Millis `json:"gracePeriodExpiresDate"`
	RenewalDate            Millis `json:"renewalDate"` // when the latest period ends
	SignedDate             Millis `json:"signedDate"`
}

// Status is how a subscription is.
type Status int

// The statuses. 0 is of a notification that names none.
const (
	Active       Status = 1
	Expired      Status = 2
	BillingRetry Status = 3
	BillingGrace Status = 4
	Revoked      Status = 5
)

// Notification is one of the App Store Server Notifications V2. (ResponseBodyV2DecodedPayload) It has one of the four
// parts, by its type.
type Notification struct {
	Type                  string `json:"notificationType"`
	Subtype               string `json:"subtype"`
	UUID                  string `json:"notificationUUID"`
	Version               string `json:"version"`
	SignedDate            Millis `json:"signedDate"`
	Data                  *Data  `json:"data"`
	Summary               *App   `json:"summary"`
	ExternalPurchaseToken *App   `json:"externalPurchaseToken"`
	AppData               *App   `json:"appData"`
}

// App says which app a notification is about.
type App struct {
	AppAppleID         int64  `json:"appAppleId"`
	BundleID           string `json:"bundleId"`
	Environment        string `json:"environment"`
	ExternalPurchaseID string `json:"externalPurchaseId"` // in place of the environment: of the sandbox it begins with SANDBOX
}

// Data is what a notification tells of a purchase.
type Data struct {
	App
	Status                Status `json:"status"`
	SignedTransactionInfo string `json:"signedTransactionInfo"`
	SignedRenewalInfo     string `json:"signedRenewalInfo"`
}

// LastTransaction is how a subscription is, as the API answers it.
type LastTransaction struct {
	OriginalTransactionID string `json:"originalTransactionId"`
	Status                Status `json:"status"`
	SignedTransactionInfo string `json:"signedTransactionInfo"`
	SignedRenewalInfo     string `json:"signedRenewalInfo"`
}
