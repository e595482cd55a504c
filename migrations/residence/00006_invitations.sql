-- +goose Up

-- Invitations that a person has had mailed since an instant; one row a person.
CREATE TABLE invitations_sent (
    user_id uuid PRIMARY KEY,
    sent    int NOT NULL,
    since   timestamptz NOT NULL
);
