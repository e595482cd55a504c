package apperr

// Code is what a client may switch on. Codes are never renamed and never reused for another meaning.
type Code struct {
	Name  string
	Kind  Kind
	Title string
}

// Every code there is. The mobile apps know them by Name.
var (
	// About the request as such.
	MalformedRequest = Code{"malformed_request", Malformed, "The request could not be read"}
	ValidationFailed = Code{"validation_failed", Invalid, "The request is not valid"}
	InvalidCursor    = Code{"invalid_cursor", Invalid, "The cursor is not one of ours"}
	CursorExpired    = Code{"cursor_expired", Gone, "The cursor is too old"}
	RouteNotFound    = Code{"route_not_found", NotFound, "No such address"}
	MethodNotAllowed = Code{"method_not_allowed", NotAllowed, "Not possible at this address"}
	BodyTooLarge     = Code{"body_too_large", TooLarge, "The request is too large"}
	WrongContentType = Code{"unsupported_media_type", UnsupportedMedia, "The content type is not supported"}
	RateLimited      = Code{"rate_limited", TooMany, "Too many requests"}

	// About who is asking.
	AuthRequired       = Code{"authentication_required", Unauthenticated, "Sign in first"}
	InvalidToken       = Code{"invalid_token", Unauthenticated, "The session has ended"}
	InvalidCredentials = Code{"invalid_credentials", Unauthenticated, "The sign-in details are not right"}
	AccountDisabled    = Code{"account_disabled", Forbidden, "The account is disabled"}
	NotPermitted       = Code{"not_permitted", Forbidden, "Not allowed"}
	InvalidCode        = Code{"invalid_code", Invalid, "The code is not right"}
	WeakPassword       = Code{"weak_password", Invalid, "The password is too easy to guess"}
	WrongPassword      = Code{"wrong_password", Invalid, "The current password is not right"}

	// About the thing that is asked for.
	NoSuchThing      = Code{"not_found", NotFound, "Not found"}
	VersionConflict  = Code{"version_conflict", Stale, "It was changed in the meantime"}
	KeyTaken         = Code{"key_taken", Conflict, "The key is already in use"}
	IDTaken          = Code{"id_taken", Conflict, "The id is already in use"}
	EmailTaken       = Code{"email_taken", Conflict, "The e-mail address is already in use"}
	UsernameTaken    = Code{"username_taken", Conflict, "The username is already in use"}
	AlreadyVerified  = Code{"already_verified", Conflict, "The e-mail address is already verified"}
	AlreadyMember    = Code{"already_member", Conflict, "Already a member"}
	OwnerCannotLeave = Code{"owner_cannot_leave", Conflict, "The owner cannot leave"}
	InvalidShareCode = Code{"invalid_share_code", Invalid, "The share code is not valid"}
	ImpossibleMove   = Code{"impossible_move", Conflict, "Not possible in this state"}
	Busy             = Code{"busy", Conflict, "Somebody else is changing it right now"}
	LimitReached     = Code{"limit_reached", Forbidden, "The plan's limit is reached"}

	// About files.
	FileTooLarge      = Code{"file_too_large", TooLarge, "The file is too large"}
	FileNotAllowed    = Code{"file_type_not_allowed", Invalid, "Files of that type are not taken"}
	FileDamaged       = Code{"file_damaged", Invalid, "The file is damaged"}
	ImageTooLarge     = Code{"image_too_large", Invalid, "The image has too many pixels"}
	DigestMismatch    = Code{"digest_mismatch", Invalid, "Not the file that was announced"}
	TooManyUploads    = Code{"too_many_uploads", TooMany, "Too many uploads that nothing uses"}
	NoDirectUpload    = Code{"direct_upload_unavailable", Conflict, "Files cannot be sent straight to the storage here"}
	FileNotThere      = Code{"file_not_uploaded", Conflict, "The file has not arrived"}
	RangeNotSatisfied = Code{"range_not_satisfiable", RangeNotSatisfiable, "The file has no such part"}

	// About subscriptions.
	NotSoldHere       = Code{"not_sold_here", Conflict, "Not sold that way here"}
	UnknownProduct    = Code{"unknown_product", Invalid, "There is no such product"}
	ReceiptInvalid    = Code{"receipt_invalid", Invalid, "The receipt is not genuine"}
	ReceiptExpired    = Code{"receipt_expired", Conflict, "The subscription of the receipt is over"}
	ReceiptRevoked    = Code{"receipt_revoked", Conflict, "The purchase was refunded or taken back"}
	ReceiptSuperseded = Code{"receipt_superseded", Conflict, "The purchase was replaced by a newer one"}
	ReceiptTaken      = Code{"receipt_of_another_account", Conflict, "The purchase belongs to another account"}
	WrongEnvironment  = Code{"receipt_wrong_environment", Invalid, "The receipt is of another environment"}
	AlreadySubscribed = Code{"already_subscribed", Conflict, "There is a subscription already"}
	NoSubscription    = Code{"no_subscription", Conflict, "There is no subscription to change"}
	ManagedElsewhere  = Code{"managed_by_store", Conflict, "The subscription is managed in the store where it was bought"}
	ProductInUse      = Code{"product_in_use", Conflict, "Somebody has bought the product"}
	WebhookRefused    = Code{"webhook_refused", Malformed, "The webhook is not genuine"}
	ShopUnavailable   = Code{"shop_unavailable", Unavailable, "The store does not answer"}

	// About us.
	InternalError      = Code{"internal_error", Internal, "Something went wrong"}
	ServiceUnavailable = Code{"service_unavailable", Unavailable, "Temporarily not available"}
	DeadlineExceeded   = Code{"deadline_exceeded", Timeout, "It took too long"}
)

// All lists every code, in the order of this file: the documentation is made from it.
func All() []Code {
	return []Code{
		MalformedRequest, ValidationFailed, InvalidCursor, CursorExpired, RouteNotFound, MethodNotAllowed, BodyTooLarge, WrongContentType,
		RateLimited,
		AuthRequired, InvalidToken, InvalidCredentials, AccountDisabled, NotPermitted, InvalidCode, WeakPassword, WrongPassword,
		NoSuchThing, VersionConflict, KeyTaken, IDTaken, EmailTaken, UsernameTaken, AlreadyVerified, AlreadyMember, OwnerCannotLeave,
		InvalidShareCode, ImpossibleMove, Busy, LimitReached,
		FileTooLarge, FileNotAllowed, FileDamaged, ImageTooLarge, DigestMismatch, TooManyUploads, NoDirectUpload, FileNotThere, RangeNotSatisfied,
		NotSoldHere, UnknownProduct, ReceiptInvalid, ReceiptExpired, ReceiptRevoked, ReceiptSuperseded, ReceiptTaken, WrongEnvironment,
		AlreadySubscribed, NoSubscription, ManagedElsewhere, ProductInUse, WebhookRefused, ShopUnavailable,
		InternalError, ServiceUnavailable, DeadlineExceeded,
	}
}

// ByName finds a code.
func ByName(name string) (Code, bool) {
	for _, code := range All() {
		if code.Name == name {
			return code, true
		}
	}
	return Code{}, false
}
