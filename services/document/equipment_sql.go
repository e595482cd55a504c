package document

// equipmentColumns are an Equipment, of equipment e.
const equipmentColumns = `e.id, e.residence_id, e.created_by_id, e.name, e.category, e.manufacturer, e.model_number, e.serial_number, e.location,
	e.notes, e.purchase_date, e.purchase_price, e.install_date, e.expected_life_years, e.removed_date, e.upload_ids, e.version, e.created_at, e.updated_at`
