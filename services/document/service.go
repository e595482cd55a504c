package document

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"hearth.internal/document/blob"
	"hearth.internal/document/reader"
	"hearth.internal/pkg/boot"
	"hearth.internal/pkg/config"
	"hearth.internal/pkg/delta"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/internalapi"
)

// Config is what the service reads from its environment.
type Config struct {
	config.Service
	blob.Config
	ReaderProgram string `env:"READER_PROGRAM" doc:"The program that is started, with the argument read-files, to decode pictures and PDFs apart from the service; empty: the service's own. One that starts it in a narrower sandbox can be given here"`
	SpoolDir      string `env:"SPOOL_DIR" doc:"Where files are while they come in and are looked into, with room for what comes in at a time: 25 MiB each, and 200 MiB of what is confirmed; empty: the system's directory for temporary files"`
}

const (
	// fileLimit is how many bytes a file may have that comes through the gateway.
	fileLimit = 25 << 20
	// What a process that was killed leaves in the spool is swept at a start, when it is too old to be another's.
	spoolPattern = "hearth-file-*"
	spoolLife    = time.Hour
)

// Service holds what the operations work with.
type Service struct {
	*boot.Deps
	blobs     blob.Store
	reader    *reader.Reader
	keys      *keys
	incoming  *intake
	work      alarm // an upload is to be looked into
	collector alarm // something is to be deleted
	spoolDir  string
	tasks     internalapi.Task
}

// New is the service, to be opened by boot.
func New(cfg Config) boot.Service {
	s := &Service{incoming: newIntake(), work: newAlarm(), collector: newAlarm()}
	return boot.Service{
		Name: events.Document, Title: "Documents, files and equipment", Files: true,
		Hot: []string{
			insertUploadSQL, ownUploadSQL,
			equipmentListSQL, equipmentSQL, insertEquipmentSQL, changeEquipmentSQL, attachableSQL, documentsOfEquipmentSQL,
			insertDocumentSQL, documentSQL, changeDocumentSQL, deleteDocumentSQL, documentsSQL, findDocumentsSQL, warrantiesSQL, usageSQL,
			syncDocumentsSQL, syncEquipmentSQL, delta.TombstonesSQL,
		},
		Register: func(d *boot.Deps) error {
			s.Deps, s.tasks = d, d.Calls.Task(d.Config.TaskURL)
			if err := s.openFiles(cfg); err != nil {
				return err
			}
			s.routes()
			s.listen()
			return nil
		},
		Background: s.background,
	}
}

// openFiles opens the storage, and makes a place for files on their way.
func (s *Service) openFiles(cfg Config) (err error) {
	if s.blobs, err = blob.Open(context.Background(), cfg.Config, s.Tel); err != nil {
		return err
	}
	s.Storage = s.blobs.Ping
	if s.spoolDir = cfg.SpoolDir; s.spoolDir == "" {
		s.spoolDir = os.TempDir()
	}
	if err := os.MkdirAll(s.spoolDir, 0o700); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	sweepSpool(s.spoolDir, time.Now().Add(-spoolLife))
	s.reader = reader.New(reader.Options{Program: cfg.ReaderProgram, Dir: filepath.Join(s.spoolDir, "hearth-reader")})
	s.keys = newKeys(s.DB, s.Clock)
	return nil
}

// sweepSpool removes what was left there before.
func sweepSpool(dir string, before time.Time) {
	left, _ := filepath.Glob(filepath.Join(dir, spoolPattern)) // the pattern is a good one
	for _, path := range left {
		if stat, err := os.Stat(path); err == nil && stat.ModTime().Before(before) {
			_ = os.Remove(path) // another start tries again
		}
	}
}

// background reserves keys, looks into uploads, and deletes what is to go.
func (s *Service) background(ctx context.Context, d *boot.Deps) error {
	var all sync.WaitGroup
	all.Go(func() { s.loop(ctx, workEvery, s.keys.low, "no keys are reserved ahead", s.keys.fill) })
	all.Go(func() {
		s.loop(ctx, workEvery, s.work, "uploads stay without thumbnails and text until the next look", s.workAll)
	})
	all.Go(func() {
		s.loop(ctx, collectEvery, s.collector, "what is to be deleted stays until the next look", s.collect)
	})
	all.Go(func() {
		s.loop(ctx, goneEvery, nil, "what came too late for a deleted residence stays until the next look", s.eraseLate)
	})
	all.Go(func() { letGoLate(ctx, d) })
	all.Go(func() { sweepTombstones(ctx, d) })
	all.Wait()
	return s.reader.Close() // says what it could not end
}
