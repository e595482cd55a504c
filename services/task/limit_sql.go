package task

import "hearth.internal/pkg/room"

// personalContractors are those that an owner r keeps for themselves.
const personalContractors = `(SELECT count(*) FROM contractors u WHERE u.residence_id IS NULL AND u.created_by_id = r.owner_id)`

// usedTasks and usedContractors are what an owner r has.
var (
	usedTasks       = room.Used("tasks")
	usedContractors = `(` + room.Used("contractors") + `
			+ ` + personalContractors + `)`

	usedTasksSQL       = room.CountSQL(usedTasks)
	usedContractorsSQL = room.CountSQL(usedContractors)
)

// The checks that find what a row w would be too much, for the list of the others. What is there already, by its id, is
// nothing more; nor is what moves between residences of the same owner.
var (
	noRoomForTasks = `,
		('` + room.Limited + `', NOT EXISTS (SELECT FROM tasks x WHERE x.id = w.id) AND EXISTS (
			SELECT FROM ` + room.Owners + ` WHERE w.residence_id = ANY(r.homes) AND r.most < ` + usedTasks + ` + (
				SELECT count(*) FROM new n WHERE n.residence_id = ANY(r.homes) AND NOT EXISTS (SELECT FROM tasks x WHERE x.id = n.id))))`
	noRoomForMovedTask       = room.NoneForMoved(usedTasks)
	noRoomForContractor      = room.None(usedContractors)
	noRoomForMovedContractor = `,
		('` + room.Limited + `', w.moved AND EXISTS (
			SELECT FROM ` + room.Owners + ` WHERE r.most <= ` + usedContractors + `
				AND (w.was_in = ANY(r.homes) OR (w.was_in IS NULL AND w.created_by_id = r.owner_id)) IS NOT TRUE))`
)
