package document

// seenUpload is true of an upload u that the actor may look at and name in something: one of theirs that nothing claims
// yet, or one that something claims which they see. Of who has left a residence nothing there is theirs any more.
const seenUpload = `(u.state = 'stored' AND (
	(u.unclaimed_at IS NOT NULL AND u.owner_id = @actor::uuid)
	OR EXISTS (SELECT FROM claims c WHERE c.upload_id = u.id AND (c.residence_id = ANY(@mine::uuid[]) OR c.user_id = @actor::uuid))))`
