package document

// documentColumns are a Document, of documents d.
const documentColumns = `d.id, d.residence_id, d.created_by_id, d.title, d.description, d.document_type, d.upload_id, d.image_ids, d.is_active,
	d.contractor_id, d.task_id, d.equipment_id, d.item_name, d.model_number, d.serial_number, d.provider, d.provider_contact,
	d.claim_phone, d.claim_email, d.claim_website, d.purchase_date, d.start_date, d.end_date, d.price, d.version, d.created_at, d.updated_at`
