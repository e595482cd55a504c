package report

import (
	"io"

	"github.com/google/uuid"

	"hearth.internal/pkg/day"
	"hearth.internal/pkg/money"
)

// Paper is the size of the pages.
type Paper string

// The papers there are.
const (
	A4     Paper = "a4"
	Letter Paper = "letter"
)

// Head is what every report says of itself.
type Head struct {
	Residence string
	Address   []string // its lines
	MadeFor   string   // the person's name
	MadeOn    day.Day
	Locale    string // BCP 47: how days, numbers and money are written
	Currency  string // ISO 4217
	Paper     Paper
}

// Status is where a task stands.
type Status int

// The statuses, in the order of the report.
const (
	Overdue Status = iota
	InProgress
	DueSoon
	Upcoming
	Completed
	Cancelled
	statuses
)

// Task is a task as a row of the report.
type Task struct {
	Title     string
	Category  string
	Status    Status
	Due       day.Day // zero: none
	Assignee  string
	LastDone  day.Day       // zero: never
	Cost      *money.Amount // nil: not known
	Estimated bool          // the cost is an estimate
}

// Person is somebody who has done something.
type Person struct {
	ID   uuid.UUID
	Name string
}

// Contractor is who did the work for pay; the zero one is nobody.
type Contractor struct {
	ID      uuid.UUID
	Name    string
	Company string
}

// label is the contractor in one line.
func (c Contractor) label() string {
	if c.Company == "" || c.Company == c.Name {
		return c.Name
	}
	return c.Name + ", " + c.Company
}

// PhotosEach is how many photos of a completion a report shows, the first ones.
const PhotosEach = 6

// Photo opens the bytes of a JPEG or PNG. It is called once, while the report is made; the photos in their
// order, and none is left out before one that is called for.
type Photo func() (io.ReadCloser, error)

// Completion is one doing of a task.
type Completion struct {
	On         day.Day
	Task       string
	Category   string
	By         Person
	Contractor Contractor
	Notes      string
	Cost       *money.Amount // nil: not known
	Rating     int           // 1 to 5; 0: none
	Photos     []Photo
}

// Equipment is an appliance or a system that is in use.
type Equipment struct {
	Name      string
	Location  string
	Maker     string
	Model     string
	Serial    string
	Installed day.Day // zero: not known
	Bought    day.Day
	ReplaceBy day.Day       // where its expected life ends
	Works     int           // how often something was done to it
	Cost      *money.Amount // of those works; nil: not known
}

// Warranty is a promise that something works, with its end.
type Warranty struct {
	Item     string
	Provider string
	Claims   []string // how to claim: a person, a phone number, addresses
	Model    string
	Serial   string
	Start    day.Day
	End      day.Day // its last day; zero: for life
	Bought   day.Day
	Price    *money.Amount
	Inactive bool // somebody has put it away
}

// Document is another paper.
type Document struct {
	Title    string
	Type     string
	Provider string
	Added    day.Day
	Start    day.Day
	End      day.Day
	Inactive bool // as a Warranty's
}

// Tasks is what a task report is made of.
type Tasks struct {
	Head
	From, To    day.Day      // the period, both days in it
	Tasks       []Task       // in the order in which the tables show them
	Completions []Completion // in the period, newest first
	// How many of each there are in all; more than are given is said in the report.
	AllTasks, AllCompletions int
}

// History is what a home history is made of.
type History struct {
	Head
	Completions    []Completion // newest first
	AllCompletions int          // as in Tasks
	Equipment      []Equipment
	Warranties     []Warranty
	Documents      []Document // the other papers
	// As AllCompletions.
	AllEquipment, AllWarranties, AllDocuments int
}
