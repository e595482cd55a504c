package stores

// Options say where private stores live and who hears of progress.
type Options struct {
	// Dir is the root of data, logs and remembered ports: ".dev", or a test's own directory.
	Dir string
	// Ephemeral is for tests: nothing is synced to disk, and Stop removes the data. A Kill may lose the last 0.6 s
	// of commits in PostgreSQL: a test of durability wants Ephemeral off.
	Ephemeral bool
	// Progress hears of each step that takes time; may be nil.
	Progress func(step string)
	// Install allows to install what is not found: with apt-get as root, else (PostgreSQL only) with npm.
	Install bool
	// Packages is where npm puts PostgreSQL; empty means Dir. Tests with a directory each should share one.
	Packages string

	// search replaces the usual places of binaries, in tests.
	search func() []string
}

func (o Options) progress(step string) {
	if o.Progress != nil {
		o.Progress(step)
	}
}

// dataName tells lasting data and a test's data apart, so that Stop of an ephemeral server never removes lasting data.
func (o Options) dataName(name string) string {
	if o.Ephemeral {
		return name + ephemeralSuffix
	}
	return name
}

const ephemeralSuffix = "-ephemeral"
