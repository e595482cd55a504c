-- +goose Up

-- Persons as this service knows them, kept by auth's events.
CREATE TABLE people (
    user_id          uuid PRIMARY KEY,
    email            text NOT NULL,
    username         text NOT NULL,
    first_name       text NOT NULL,
    last_name        text NOT NULL,
    timezone         text NOT NULL,
    locale           text NOT NULL,
    avatar_upload_id uuid,
    version          int NOT NULL
);

CREATE TABLE task_categories (
    id            uuid PRIMARY KEY,
    name          text NOT NULL,
    icon          text NOT NULL,
    color         text NOT NULL,
    display_order int NOT NULL
);

-- The higher the display_order, the more urgent.
CREATE TABLE task_priorities (
    id            uuid PRIMARY KEY,
    name          text NOT NULL,
    icon          text NOT NULL,
    color         text NOT NULL,
    display_order int NOT NULL
);

-- A task of this frequency comes back every so many days, months or years; custom: every custom_interval_days.
CREATE TABLE task_frequencies (
    id            uuid PRIMARY KEY,
    name          text NOT NULL,
    icon          text NOT NULL,
    color         text NOT NULL,
    display_order int NOT NULL,
    unit          text NOT NULL CONSTRAINT task_frequencies_unit CHECK (unit IN ('none', 'day', 'month', 'year', 'custom')),
    every         int NOT NULL CONSTRAINT task_frequencies_every CHECK (every >= 0 AND (unit IN ('none', 'custom') OR every > 0))
);

CREATE TABLE contractor_specialties (
    id            uuid PRIMARY KEY,
    name          text NOT NULL,
    icon          text NOT NULL,
    color         text NOT NULL,
    display_order int NOT NULL
);

CREATE TABLE contractors (
    id            uuid PRIMARY KEY,
    residence_id  uuid, -- null: personal, seen by its creator alone
    created_by_id uuid NOT NULL,
    name          text NOT NULL,
    company       text,
    phone         text,
    email         text,
    website       text,
    address       text,
    notes         text,
    rating        double precision CONSTRAINT contractors_rating CHECK (rating BETWEEN 0 AND 5),
    specialty_ids uuid[] NOT NULL DEFAULT '{}',
    version       int NOT NULL DEFAULT 1,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL
);
CREATE INDEX contractors_residence ON contractors (residence_id) WHERE residence_id IS NOT NULL;
CREATE INDEX contractors_personal ON contractors (created_by_id) WHERE residence_id IS NULL;

CREATE TABLE contractor_favorites (
    user_id       uuid NOT NULL,
    contractor_id uuid NOT NULL CONSTRAINT contractor_favorites_contractor REFERENCES contractors ON DELETE CASCADE,
    PRIMARY KEY (user_id, contractor_id)
);
CREATE INDEX contractor_favorites_contractor ON contractor_favorites (contractor_id);

-- next_due_date, last_completed_at, completion_count, recent_ids and recent_at are derived from completions, and written
-- only by statements that hold the version that they were derived from.
CREATE TABLE tasks (
    id                   uuid PRIMARY KEY,
    residence_id         uuid NOT NULL,
    title                text NOT NULL,
    description          text,
    category_id          uuid CONSTRAINT tasks_category REFERENCES task_categories,
    priority_id          uuid CONSTRAINT tasks_priority REFERENCES task_priorities,
    frequency_id         uuid CONSTRAINT tasks_frequency REFERENCES task_frequencies,
    custom_interval_days int CONSTRAINT tasks_custom_interval CHECK (custom_interval_days > 0),
    rrule                text,
    reschedule_from      text NOT NULL DEFAULT 'due_date' CONSTRAINT tasks_reschedule_from CHECK (reschedule_from IN ('due_date', 'completion')),
    season_start         text,
    season_end           text,
    due_date             date,
    next_due_date        date,
    in_progress          boolean NOT NULL DEFAULT false,
    is_cancelled         boolean NOT NULL DEFAULT false,
    is_archived          boolean NOT NULL DEFAULT false,
    assigned_to_id       uuid,
    contractor_id        uuid CONSTRAINT tasks_contractor REFERENCES contractors ON DELETE SET NULL,
    estimated_cost       bigint,
    actual_cost          bigint,
    last_completed_at    timestamptz,
    completion_count     int NOT NULL DEFAULT 0,
    recent_ids           uuid[] NOT NULL DEFAULT '{}', -- the newest ten completions, newest first: a board needs no second table
    recent_at            timestamptz[] NOT NULL DEFAULT '{}',
    created_by_id        uuid NOT NULL,
    version              int NOT NULL DEFAULT 1,
    created_at           timestamptz NOT NULL,
    updated_at           timestamptz NOT NULL
);
-- Boards and counts read by residence and leave out the archived; erasing a residence reads both.
CREATE INDEX tasks_board ON tasks (residence_id, is_archived);
CREATE INDEX tasks_contractor ON tasks (contractor_id) WHERE contractor_id IS NOT NULL;

CREATE TABLE completions (
    id              uuid CONSTRAINT completions_pkey PRIMARY KEY,
    task_id         uuid NOT NULL CONSTRAINT completions_task REFERENCES tasks ON DELETE CASCADE,
    residence_id    uuid NOT NULL, -- the task's, here for the list over residences
    completed_at    timestamptz NOT NULL,
    completed_by_id uuid NOT NULL,
    notes           text,
    actual_cost     bigint,
    rating          smallint CONSTRAINT completions_rating CHECK (rating BETWEEN 1 AND 5),
    contractor_id   uuid CONSTRAINT completions_contractor REFERENCES contractors ON DELETE SET NULL,
    upload_ids      uuid[] NOT NULL DEFAULT '{}',
    version         int NOT NULL DEFAULT 1,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL
);
CREATE INDEX completions_task ON completions (task_id, completed_at DESC, id DESC);
CREATE INDEX completions_residence ON completions (residence_id, completed_at DESC, id DESC);
CREATE INDEX completions_contractor ON completions (contractor_id) WHERE contractor_id IS NOT NULL;

INSERT INTO task_categories (id, name, icon, color, display_order) VALUES
    ('01900000-0000-7000-8000-000000001001', 'General',       'home_repair_service', '#64748B', 1),
    ('01900000-0000-7000-8000-000000001002', 'Plumbing',      'plumbing',            '#2563EB', 2),
    ('01900000-0000-7000-8000-000000001003', 'Electrical',    'bolt',                '#D97706', 3),
    ('01900000-0000-7000-8000-000000001004', 'HVAC',          'hvac',                '#0891B2', 4),
    ('01900000-0000-7000-8000-000000001005', 'Appliances',    'kitchen',             '#7C3AED', 5),
    ('01900000-0000-7000-8000-000000001006', 'Exterior',      'house_siding',        '#B45309', 6),
    ('01900000-0000-7000-8000-000000001007', 'Lawn & Garden', 'yard',                '#16A34A', 7),
    ('01900000-0000-7000-8000-000000001008', 'Interior',      'chair',               '#DB2777', 8),
    ('01900000-0000-7000-8000-000000001009', 'Cleaning',      'cleaning_services',   '#0D9488', 9),
    ('01900000-0000-7000-8000-00000000100a', 'Safety',        'health_and_safety',   '#DC2626', 10),
    ('01900000-0000-7000-8000-00000000100b', 'Pest Control',  'pest_control',        '#65A30D', 11),
    ('01900000-0000-7000-8000-00000000100c', 'Roof & Gutters','roofing',             '#57534E', 12),
    ('01900000-0000-7000-8000-00000000100d', 'Pool & Spa',    'pool',                '#0284C7', 13),
    ('01900000-0000-7000-8000-00000000100e', 'Vehicles & Garage', 'garage',          '#475569', 14);

INSERT INTO task_priorities (id, name, icon, color, display_order) VALUES
    ('01900000-0000-7000-8000-000000002001', 'Low',    'keyboard_arrow_down',        '#64748B', 1),
    ('01900000-0000-7000-8000-000000002002', 'Medium', 'drag_handle',                '#2563EB', 2),
    ('01900000-0000-7000-8000-000000002003', 'High',   'keyboard_arrow_up',          '#D97706', 3),
    ('01900000-0000-7000-8000-000000002004', 'Urgent', 'keyboard_double_arrow_up',   '#DC2626', 4);

INSERT INTO task_frequencies (id, name, icon, color, display_order, unit, every) VALUES
    ('01900000-0000-7000-8000-000000003001', 'Once',          'looks_one',           '#64748B', 1, 'none',   0),
    ('01900000-0000-7000-8000-000000003002', 'Daily',         'today',               '#DC2626', 2, 'day',    1),
    ('01900000-0000-7000-8000-000000003003', 'Weekly',        'view_week',           '#D97706', 3, 'day',    7),
    ('01900000-0000-7000-8000-000000003004', 'Biweekly',      'date_range',          '#CA8A04', 4, 'day',    14),
    ('01900000-0000-7000-8000-000000003005', 'Monthly',       'calendar_view_month', '#16A34A', 5, 'month',  1),
    ('01900000-0000-7000-8000-000000003006', 'Quarterly',     'event_repeat',        '#0891B2', 6, 'month',  3),
    ('01900000-0000-7000-8000-000000003007', 'Semi-Annually', 'event_repeat',        '#2563EB', 7, 'month',  6),
    ('01900000-0000-7000-8000-000000003008', 'Annually',      'event',               '#7C3AED', 8, 'year',   1),
    ('01900000-0000-7000-8000-000000003009', 'Custom',        'tune',                '#475569', 9, 'custom', 0);

INSERT INTO contractor_specialties (id, name, icon, color, display_order) VALUES
    ('01900000-0000-7000-8000-000000004001', 'General Contractor', 'construction',        '#64748B', 1),
    ('01900000-0000-7000-8000-000000004002', 'Plumber',            'plumbing',            '#2563EB', 2),
    ('01900000-0000-7000-8000-000000004003', 'Electrician',        'electrical_services', '#D97706', 3),
    ('01900000-0000-7000-8000-000000004004', 'HVAC Technician',    'hvac',                '#0891B2', 4),
    ('01900000-0000-7000-8000-000000004005', 'Appliance Repair',   'kitchen',             '#7C3AED', 5),
    ('01900000-0000-7000-8000-000000004006', 'Roofer',             'roofing',             '#57534E', 6),
    ('01900000-0000-7000-8000-000000004007', 'Landscaper',         'yard',                '#16A34A', 7),
    ('01900000-0000-7000-8000-000000004008', 'Painter',            'format_paint',        '#DB2777', 8),
    ('01900000-0000-7000-8000-000000004009', 'Carpenter',          'carpenter',           '#B45309', 9),
    ('01900000-0000-7000-8000-00000000400a', 'Handyman',           'handyman',            '#475569', 10),
    ('01900000-0000-7000-8000-00000000400b', 'Cleaner',            'cleaning_services',   '#0D9488', 11),
    ('01900000-0000-7000-8000-00000000400c', 'Pest Control',       'pest_control',        '#65A30D', 12),
    ('01900000-0000-7000-8000-00000000400d', 'Locksmith',          'lock',                '#334155', 13),
    ('01900000-0000-7000-8000-00000000400e', 'Flooring',           'layers',              '#92400E', 14),
    ('01900000-0000-7000-8000-00000000400f', 'Mason',              'foundation',          '#78716C', 15),
    ('01900000-0000-7000-8000-000000004010', 'Window & Door',      'window',              '#0284C7', 16),
    ('01900000-0000-7000-8000-000000004011', 'Pool Service',       'pool',                '#0EA5E9', 17),
    ('01900000-0000-7000-8000-000000004012', 'Tree Care',          'park',                '#15803D', 18);

-- Residences deleted within the last day: what was being added to them meanwhile is erased after them.
CREATE TABLE gone_residences (
    residence_id uuid PRIMARY KEY,
    gone_at      timestamptz NOT NULL
);
