-- +goose Up

-- Who owns which residence, as the residence service tells: what the plans count, they count for an owner. Its events may
-- come in any order: a row is as of the latest one, and without an owner once the residence is gone.
-- as_of sorts: the instant and the id of that event.
CREATE TABLE residence_owners (
    residence_id uuid PRIMARY KEY,
    owner_id     uuid,
    as_of        text COLLATE "C" NOT NULL
);
CREATE INDEX residence_owners_owner ON residence_owners (owner_id) WHERE owner_id IS NOT NULL;
