package task

import (
	"context"
	"sync"

	"hearth.internal/pkg/boot"
	"hearth.internal/pkg/config"
	"hearth.internal/pkg/delta"
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/internalapi"
)

// Config is the service's configuration.
type Config struct{ config.Service }

// Service holds what the operations work with.
type Service struct {
	*boot.Deps
	documents internalapi.Document
	lookups   lookupShelf
	templates templateShelf
	turns     turns
	reports   chan struct{} // a place for each report that is being made
}

// New is the service, to be opened by boot.
func New(Config) boot.Service {
	return boot.Service{
		Name: events.Task, Title: "Tasks, completions and contractors",
		Hot: []string{
			boardSQL, filteredBoardSQL, taskSQL, insertTasksSQL, changeTaskSQL, moveTaskSQL, deleteTaskSQL,
			seriesSQL, completeSQL, skipSQL, tickSQL, restateSQL, feedByKeySQL, calendarSQL, completionsSQL, completionSQL, countsSQL, refsSQL, contractorsSQL, contractorSQL,
			residenceHistorySQL, costsSQL, equipmentWorkSQL, equipmentTasksSQL, equipmentTotalsSQL,
			syncTasksSQL, syncCompletionsSQL, syncContractorsSQL, delta.TombstonesSQL,
		},
		Background: background,
		Register: func(d *boot.Deps) error {
			s := &Service{Deps: d, documents: d.Calls.Document(d.Config.DocumentURL), reports: make(chan struct{}, reportsAtOnce)}
			s.routes()
			s.listen()
			return nil
		},
	}
}

// background erases what came late, and forgets old tombstones.
func background(ctx context.Context, d *boot.Deps) error {
	var all sync.WaitGroup
	all.Go(func() { eraseLate(ctx, d) })
	all.Go(func() { sweepTombstones(ctx, d) })
	all.Wait()
	return nil
}
