package task

import (
	"net/http"

	"hearth.internal/pkg/httpx"
	"hearth.internal/pkg/identity"
)

// routes is every operation of the service. Fixed paths come before those with an id: the first that matches answers.
func (s *Service) routes() {
	created, gone := httpx.Status(http.StatusCreated), httpx.Status(http.StatusNoContent)

	httpx.Get(s.HTTP, "/api/tasks/categories/", identity.User, s.getCategories, "Categories of tasks")
	httpx.Get(s.HTTP, "/api/tasks/priorities/", identity.User, s.getPriorities, "Priorities of tasks")
	httpx.Get(s.HTTP, "/api/tasks/frequencies/", identity.User, s.getFrequencies, "Frequencies of tasks")

	httpx.Get(s.HTTP, "/api/tasks/templates/", identity.User, s.getTemplates, "Templates of tasks")
	httpx.Get(s.HTTP, "/api/tasks/templates/grouped/", identity.User, s.getTemplatesGrouped, "Templates by category")
	httpx.Get(s.HTTP, "/api/tasks/templates/search/", identity.User, s.getTemplatesSearch, "Templates that a few words mean, the best first")
	httpx.Get(s.HTTP, "/api/tasks/templates/by-category/{id}/", identity.User, s.getTemplatesOfCategory, "Templates of one category")
	httpx.Get(s.HTTP, "/api/tasks/templates/{id}/", identity.User, s.getTemplate, "Read a template")
	httpx.Post(s.HTTP, "/api/tasks/templates/apply/", identity.User, s.postApplyTemplates, "Add the tasks of templates to a residence", created)

	httpx.Get(s.HTTP, "/api/tasks/", identity.User, s.getBoard, "The board over every residence that you see")
	httpx.Get(s.HTTP, "/api/tasks/by-residence/{residence_id}/", identity.User, s.getResidenceBoard, "The board of one residence")
	httpx.Post(s.HTTP, "/api/tasks/", identity.User, s.postTask, "Add a task", created)
	httpx.Post(s.HTTP, "/api/tasks/bulk/", identity.User, s.postTasks, "Add up to 200 tasks, all or none", created)
	httpx.Get(s.HTTP, "/api/tasks/{id}/", identity.User, s.getTask, "Read a task")
	httpx.Put(s.HTTP, "/api/tasks/{id}/", identity.User, s.putTask, "Replace what a task says")
	httpx.Patch(s.HTTP, "/api/tasks/{id}/", identity.User, s.patchTask, "Change some of what a task says")
	httpx.Delete(s.HTTP, "/api/tasks/{id}/", identity.User, s.deleteTask, "Delete a task with its completions", gone)
	httpx.Post(s.HTTP, "/api/tasks/{id}/mark-in-progress/", identity.User, s.postMove(markInProgress()), "Begin a task")
	httpx.Post(s.HTTP, "/api/tasks/{id}/cancel/", identity.User, s.postMove(cancel()), "Cancel a task")
	httpx.Post(s.HTTP, "/api/tasks/{id}/uncancel/", identity.User, s.postMove(uncancel()), "Take up a cancelled task again")
	httpx.Post(s.HTTP, "/api/tasks/{id}/archive/", identity.User, s.postMove(archive()), "Put a task away")
	httpx.Post(s.HTTP, "/api/tasks/{id}/unarchive/", identity.User, s.postMove(unarchive()), "Take a task out of the archive")
	httpx.Post(s.HTTP, "/api/tasks/{id}/quick-complete/", identity.User, s.postQuickComplete, "Complete a task: by me, now", created)
	httpx.Post(s.HTTP, "/api/tasks/preview/", identity.User, s.postPreview, "The next dates of a rule")
	httpx.Get(s.HTTP, "/api/tasks/{id}/occurrences/", identity.User, s.getOccurrences, "The next dates of a task")
	httpx.Post(s.HTTP, "/api/tasks/{id}/skip/", identity.User, s.postSkip, "Let the current occurrence of a task go by", created)
	httpx.Get(s.HTTP, "/api/tasks/{id}/skips/", identity.User, s.getSkips, "What was skipped of a task")
	httpx.Delete(s.HTTP, "/api/tasks/{id}/skips/{skip_id}/", identity.User, s.deleteSkip, "Take a skip back", gone)
	httpx.Post(s.HTTP, "/api/tasks/{id}/pause/", identity.User, s.postPause, "Pause a task")
	httpx.Post(s.HTTP, "/api/tasks/{id}/resume/", identity.User, s.postResume, "End a task's pause")
	httpx.Post(s.HTTP, "/api/tasks/by-residence/{residence_id}/pause/", identity.User, s.postPauseResidence, "Pause every open task of a residence")
	httpx.Post(s.HTTP, "/api/tasks/by-residence/{residence_id}/resume/", identity.User, s.postResumeResidence, "End every pause in a residence")
	httpx.Post(s.HTTP, "/api/tasks/{id}/checklist/{item_id}/check/", identity.User, s.postTick(true), "Tick an item off")
	httpx.Post(s.HTTP, "/api/tasks/{id}/checklist/{item_id}/uncheck/", identity.User, s.postTick(false), "Take an item's tick back")
	httpx.Get(s.HTTP, "/api/tasks/{id}/completions/", identity.User, s.getTaskCompletions, "Completions of a task, newest first")
	httpx.Get(s.HTTP, "/api/tasks/{id}/history/", identity.User, s.getTaskHistory, "What became of a task, newest first, and what that comes to")
	httpx.Get(s.HTTP, "/api/residences/{id}/history/", identity.User, s.getResidenceHistory, "What was done in a residence, newest first")
	httpx.Get(s.HTTP, "/api/residences/{id}/costs/", identity.User, s.getCosts, "What a residence has cost, by month, category and contractor")

	httpx.Get(s.HTTP, "/api/task-completions/", identity.User, s.getCompletions, "Completions in every residence that you see, newest first")
	httpx.Post(s.HTTP, "/api/task-completions/", identity.User, s.postCompletion, "Complete a task", created)
	httpx.Get(s.HTTP, "/api/task-completions/{id}/", identity.User, s.getCompletion, "Read a completion")
	httpx.Put(s.HTTP, "/api/task-completions/{id}/", identity.User, s.putCompletion, "Replace what a completion says")
	httpx.Delete(s.HTTP, "/api/task-completions/{id}/", identity.User, s.deleteCompletion, "Undo a completion", gone)

	httpx.Get(s.HTTP, "/api/contractors/specialties/", identity.User, s.getSpecialties, "Specialties of contractors")
	httpx.Get(s.HTTP, "/api/contractors/by-residence/{residence_id}/", identity.User, s.getResidenceContractors, "Contractors of one residence, by name")
	httpx.Get(s.HTTP, "/api/contractors/", identity.User, s.getContractors, "Contractors that you see, by name")
	httpx.Post(s.HTTP, "/api/contractors/", identity.User, s.postContractor, "Add a contractor", created)
	httpx.Get(s.HTTP, "/api/contractors/{id}/", identity.User, s.getContractor, "Read a contractor")
	httpx.Put(s.HTTP, "/api/contractors/{id}/", identity.User, s.putContractor, "Replace what a contractor's entry says")
	httpx.Patch(s.HTTP, "/api/contractors/{id}/", identity.User, s.patchContractor, "Change some of what a contractor's entry says")
	httpx.Delete(s.HTTP, "/api/contractors/{id}/", identity.User, s.deleteContractor, "Delete a contractor", gone)
	httpx.Post(s.HTTP, "/api/contractors/{id}/toggle-favorite/", identity.User, s.postToggleFavorite, "Make a contractor a favourite of yours, or no longer one")
	httpx.Get(s.HTTP, "/api/contractors/{id}/tasks/", identity.User, s.getContractorTasks, "Tasks that name a contractor, newest first")
	httpx.Get(s.HTTP, "/api/contractors/{id}/history/", identity.User, s.getContractorHistory, "What a contractor has done, newest first, and what that comes to")

	httpx.Get(s.HTTP, "/api/calendar/", identity.User, s.getCalendar, "Your calendar subscription, without its key", httpx.Refuses(http.StatusNotFound))
	httpx.Post(s.HTTP, "/api/calendar/", identity.User, s.postCalendar, "Subscribe a calendar app to your tasks, with a new key", created)
	httpx.Delete(s.HTTP, "/api/calendar/", identity.User, s.deleteCalendar, "End your calendar subscription", gone, httpx.Refuses(http.StatusNotFound))
	httpx.Get(s.HTTP, "/api/calendar/{key}/tasks.ics", identity.Anyone, s.getCalendarTasks, "The calendar of who made the key", httpx.Produces("text/calendar"))

	httpx.Post(s.HTTP, "/api/residences/{id}/generate-tasks-report/", identity.User, s.postTasksReport, "A report of a residence's tasks, as PDF",
		httpx.Describe("Its period is the last twelve months, unless the body says otherwise. With `email` it is mailed later."), httpx.Produces(pdf), orMailed)
	httpx.Post(s.HTTP, "/api/residences/{id}/generate-history-report/", identity.User, s.postHistoryReport, "A residence's history for insurers and buyers, as PDF",
		httpx.Describe("All that was done, by year, with contractors, equipment, warranties and other papers. With `email` it is mailed later."), httpx.Produces(pdf), orMailed)

	httpx.Post(s.HTTP, "/internal/reports", identity.Internal, s.postInternalReport, "A report as a person may have it", httpx.Produces(pdf))
	httpx.Post(s.HTTP, "/internal/equipment-work", identity.Internal, s.postEquipmentWork, "What was done to a piece of equipment, and what is to be done")
	httpx.Post(s.HTTP, "/internal/usage", identity.Internal, s.postUsage, "What a person uses of their plan")
	httpx.Post(s.HTTP, "/internal/task-counts", identity.Internal, s.postCounts, "Tasks of residences in numbers")
	httpx.Post(s.HTTP, "/internal/refs", identity.Internal, s.postRefs, "Where tasks and contractors are")
	httpx.Post(s.HTTP, "/internal/sync", identity.User, s.postSync, "What changed for a person since a cursor")
	httpx.Get(s.HTTP, "/internal/lookups", identity.Internal, s.getLookups, "The lookup tables")
}
