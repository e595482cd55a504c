package stores

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// installTurn lets one process install at a time; those who waited look again first.
func installTurn() (*lock, error) {
	return awaitLock(filepath.Join(os.TempDir(), fmt.Sprintf("hearth-install-%d.lock", os.Geteuid())))
}

func installPostgres(ctx context.Context, opts Options, h *home) error {
	var failed error
	if canApt() {
		opts.progress("installing PostgreSQL with apt-get")
		if failed = aptPostgres(ctx); failed == nil {
			return nil
		}
	}
	if _, err := exec.LookPath("npm"); err == nil {
		opts.progress("installing PostgreSQL with npm")
		err := npmPostgres(ctx, opts, h)
		if err == nil {
			return nil
		}
		failed = errors.Join(failed, err)
	}
	if failed == nil {
		return errNoPostgres
	}
	return fmt.Errorf("%w; installing it failed: %s", errNoPostgres, strings.ReplaceAll(failed.Error(), "\n", "; "))
}

// installRedis installs redis-server where that can be done, and says so where it failed: there is a stand-in.
func installRedis(ctx context.Context, opts Options) {
	if !canApt() {
		return
	}
	opts.progress("installing Redis with apt-get")
	if err := aptRedis(ctx); err != nil {
		opts.progress("Redis could not be installed: " + err.Error())
	}
}

func canApt() bool {
	_, err := exec.LookPath("apt-get")
	return err == nil && os.Geteuid() == 0
}

// createClusterRule keeps Debian's package from making a server of its own. It is added beside the package's settings,
// before the package is there, and taken away after.
const createClusterRule = "/etc/postgresql-common/createcluster.d/hearth.conf"

func aptPostgres(ctx context.Context) error {
	if err := os.MkdirAll(filepath.Dir(createClusterRule), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(createClusterRule, []byte("create_main_cluster = false\n"), 0o644); err != nil {
		return err
	}
	defer os.Remove(createClusterRule)
	return aptInstall(ctx, "postgresql")
}

func aptRedis(ctx context.Context) error {
	if err := aptInstall(ctx, "redis-server"); err != nil {
		return err
	}
	// The package enables its service: without this it would listen on 6379 after the next boot.
	if _, err := exec.LookPath("systemctl"); err == nil {
		_ = runInstaller(ctx, nil, "systemctl", "disable", "redis-server.service") // no systemd, no service
	}
	return nil
}

// aptInstall fetches the package lists only when it must: they may be missing, or older than what the archive has.
func aptInstall(ctx context.Context, name string) error {
	allow, err := forbidServices()
	if err != nil {
		return err
	}
	defer allow()
	env := []string{"DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1"}
	wait := "DPkg::Lock::Timeout=300" // another apt may be at work
	install := func() error {
		return runInstaller(ctx, env, "apt-get", "install", "-y", "--no-install-recommends", "-o", wait, name)
	}
	if install() == nil {
		return nil
	}
	stale := runInstaller(ctx, env, "apt-get", "update", "-o", wait)
	if err := install(); err != nil { // one broken source fails the update, not necessarily the package
		return errors.Join(stale, err)
	}
	return nil
}

const (
	servicePolicy = "/usr/sbin/policy-rc.d"
	policyText    = "#!/bin/sh\n# Hearth put this here while it installs a package; it may be deleted.\nexit 101\n"
)

// forbidServices keeps packages from starting what they install. A policy that the machine already has stays.
func forbidServices() (allow func(), err error) {
	allow = func() { _ = os.Remove(servicePolicy) }
	old, err := os.ReadFile(servicePolicy)
	if err == nil && string(old) != policyText { // ours would be left from a run that was killed
		return func() {}, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return allow, os.WriteFile(servicePolicy, []byte(policyText), 0o755)
}

const (
	npmName    = "npm"
	npmVersion = "18.4.0-beta.17" // PostgreSQL 18.4; the package counts its own builds as betas
)

// npmPackage is named as npm names platforms: linux-x64, darwin-arm64.
func npmPackage() string {
	arch := runtime.GOARCH
	switch arch {
	case "amd64":
		arch = "x64"
	case "386":
		arch = "ia32"
	case "ppc64le":
		arch = "ppc64"
	}
	return "@embedded-postgres/" + runtime.GOOS + "-" + arch
}

// npmDirs are where npm's PostgreSQL may have been installed.
func npmDirs(opts Options, h *home) []string {
	roots := []string{h.data}
	if opts.Packages != "" {
		roots = nil
		if dir, err := absolute(opts.Packages); err == nil {
			roots = []string{dir, fallbackOf(dir)}
		}
	}
	var dirs []string
	for _, root := range roots {
		dirs = append(dirs, filepath.Join(root, npmName, "node_modules", npmPackage(), "native", "bin"))
	}
	return dirs
}

// npmPostgres needs no root and no compiler. npm's own cache goes with the installation: the user may have no home.
func npmPostgres(ctx context.Context, opts Options, h *home) error {
	if opts.Packages != "" {
		shared, err := openHome(opts.Packages)
		if err != nil {
			return err
		}
		h = shared
	}
	if err := h.locked(h.makeFallback); err != nil {
		return err
	}
	dir := filepath.Join(h.data, npmName)
	cache := filepath.Join(dir, "cache")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	defer os.RemoveAll(cache)
	env := []string{"npm_config_update_notifier=false"}
	return runInstaller(ctx, env, "npm", "install", npmPackage()+"@"+npmVersion, "--prefix", dir, "--cache", cache,
		"--no-save", "--no-audit", "--no-fund", "--ignore-scripts=false") // its script makes the libraries' links
}

// runInstaller keeps a Ctrl-C from the installer, and lets it end in order when ctx does: half-installed packages are a
// nuisance.
func runInstaller(ctx context.Context, env []string, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) }
	cmd.WaitDelay = 30 * time.Second
	out, err := cmd.CombinedOutput()
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s: %w: %s", program, args[0], err, complaint(string(out)))
}

// complaint is the end of what an installer has said, as apt-get has its errors there; npm begins with them and ends
// with advice.
func complaint(out string) string {
	lines := strings.Split(strings.TrimSpace(out), "\n")
	var said []string
	for _, line := range lines {
		for _, mark := range []string{"npm error ", "npm ERR! "} { // newer, older
			if text, ok := strings.CutPrefix(line, mark); ok {
				said = append(said, text)
			}
		}
	}
	if len(said) > 0 {
		return strings.Join(said[:min(3, len(said))], "; ")
	}
	return strings.Join(lines[max(0, len(lines)-3):], "; ")
}
