package stores

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// binaries are one PostgreSQL's programs.
type binaries struct {
	dir     string
	version string // "15.18"
	major   string // "15"
}

func (b binaries) path(program string) string { return filepath.Join(b.dir, program) }

var errNoPostgres = errors.New("no PostgreSQL was found: install it (Debian, Ubuntu: apt-get install postgresql; " +
	"macOS: brew install postgresql) or npm (then it comes by itself), name its bin directory in PG_BIN, or set DATABASE_URL")

// findPostgres looks, and installs where that is allowed.
func findPostgres(ctx context.Context, opts Options, h *home) (binaries, error) {
	bin, err := lookForPostgres(ctx, opts, h)
	if err == nil || !errors.Is(err, errNoPostgres) || !opts.Install {
		return bin, err
	}
	turn, err := installTurn()
	if err != nil {
		return bin, err
	}
	defer turn.release()
	if bin, err = lookForPostgres(ctx, opts, h); err == nil {
		return bin, nil // another run was first
	}
	if err := installPostgres(ctx, opts, h); err != nil {
		return bin, err
	}
	return lookForPostgres(ctx, opts, h)
}

// lookForPostgres prefers the version that the directory has data of; else the first found.
func lookForPostgres(ctx context.Context, opts Options, h *home) (binaries, error) {
	if dir := os.Getenv("PG_BIN"); dir != "" && opts.search == nil {
		bin, err := inspect(ctx, dir)
		if err != nil {
			return bin, fmt.Errorf("PG_BIN is %s, but no PostgreSQL server runs from there: %w", dir, err)
		}
		return bin, nil
	}
	var found []binaries
	for _, dir := range append(opts.postgresDirs(ctx), npmDirs(opts, h)...) {
		if bin, err := inspect(ctx, dir); err == nil {
			found = append(found, bin)
		}
	}
	if err := ctx.Err(); err != nil { // then the binaries that are there did not run either: no reason to install others
		return binaries{}, err
	}
	if len(found) == 0 {
		return binaries{}, errNoPostgres
	}
	for _, bin := range found {
		if _, err := os.Stat(filepath.Join(h.data, opts.dataName("pg"+bin.major))); err == nil {
			return bin, nil
		}
	}
	return found[0], nil
}

var versionPattern = regexp.MustCompile(`\) ((\d+)\S*)`)

// inspect runs the server once: a binary may be there and not run, for want of a library.
func inspect(ctx context.Context, dir string) (binaries, error) {
	if _, err := os.Stat(filepath.Join(dir, "initdb")); err != nil {
		return binaries{}, err
	}
	out, err := exec.CommandContext(ctx, filepath.Join(dir, "postgres"), "--version").Output()
	if err != nil {
		return binaries{}, err
	}
	match := versionPattern.FindStringSubmatch(string(out))
	if match == nil {
		return binaries{}, fmt.Errorf("unknown version %q", out)
	}
	return binaries{dir: dir, version: match[1], major: match[2]}, nil
}

// postgresDirs lists the usual places, each once, best first.
func (o Options) postgresDirs(ctx context.Context) []string {
	if o.search != nil {
		return o.search()
	}
	var dirs []string
	for _, program := range []string{"postgres", "initdb"} {
		dirs = append(dirs, realDir(program))
	}
	if out, err := exec.CommandContext(ctx, "pg_config", "--bindir").Output(); err == nil {
		dirs = append(dirs, strings.TrimSpace(string(out)))
	}
	dirs = append(dirs, newestFirst("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin")...)
	for _, brew := range homebrews {
		dirs = append(dirs, newestFirst(brew+"/opt/postgresql@*/bin")...)
		dirs = append(dirs, brew+"/bin")
	}
	return distinct(dirs)
}

var homebrews = []string{"/opt/homebrew", "/usr/local", "/home/linuxbrew/.linuxbrew"}

// realDir follows the links of a program in PATH: PostgreSQL's programs find each other beside the real one.
func realDir(program string) string {
	path, err := exec.LookPath(program)
	if err != nil {
		return ""
	}
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return ""
	}
	return filepath.Dir(path)
}

var firstNumber = regexp.MustCompile(`\d+`)

func newestFirst(patterns ...string) []string {
	var dirs []string
	for _, pattern := range patterns {
		found, _ := filepath.Glob(pattern)
		dirs = append(dirs, found...)
	}
	version := func(dir string) int {
		n, _ := strconv.Atoi(firstNumber.FindString(dir))
		return n
	}
	slices.SortStableFunc(dirs, func(a, b string) int { return version(b) - version(a) })
	return dirs
}

func distinct(dirs []string) []string {
	var kept []string
	for _, dir := range dirs {
		if dir != "" && !slices.Contains(kept, dir) {
			kept = append(kept, dir)
		}
	}
	return kept
}

// findRedis returns redis-server's path, empty where there is none and none could be installed.
func findRedis(ctx context.Context, opts Options) (string, error) {
	path, err := lookForRedis(opts)
	if path != "" || err != nil || !opts.Install {
		return path, err
	}
	turn, err := installTurn()
	if err != nil {
		return "", err
	}
	defer turn.release()
	if path, err := lookForRedis(opts); path != "" || err != nil {
		return path, err // another run was first
	}
	installRedis(ctx, opts)
	return lookForRedis(opts)
}

func lookForRedis(opts Options) (string, error) {
	if opts.search != nil {
		return executable(inDirs(opts.search(), redisProgram)...), nil
	}
	if named := os.Getenv("REDIS_BIN"); named != "" {
		path := executable(named, filepath.Join(named, redisProgram))
		if path == "" {
			return "", fmt.Errorf("REDIS_BIN is %s, but there is no redis-server", named)
		}
		return path, nil
	}
	if path, err := exec.LookPath(redisProgram); err == nil {
		return path, nil
	}
	dirs := []string{"/usr/bin", "/usr/sbin"}
	for _, brew := range homebrews {
		dirs = append(dirs, brew+"/bin", brew+"/opt/redis/bin")
	}
	return executable(inDirs(dirs, redisProgram)...), nil
}

const redisProgram = "redis-server"

func inDirs(dirs []string, program string) []string {
	var paths []string
	for _, dir := range dirs {
		paths = append(paths, filepath.Join(dir, program))
	}
	return paths
}

func executable(paths ...string) string {
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path
		}
	}
	return ""
}
