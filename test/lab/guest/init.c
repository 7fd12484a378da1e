/*
 * The guest's first process. It makes the host's root the guest's own (9p, read-only, under an overlay on tmpfs),
 * runs the control share's init.sh, copies what that prints to the virtio port, and powers the guest off.
 * With lab.init=systemd on the kernel's command line, the host's systemd takes its place instead.
 * Linked statically: the initramfs holds this file and nothing else.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONTROL "/run/lab"
#define PORT "/dev/vport0p1"
#define P9 "trans=virtio,version=9p2000.L,msize=512000"

static void die(const char *what)
{
	fprintf(stderr, "lab init: %s: %s\n", what, strerror(errno));
	sync();
	reboot(RB_POWER_OFF);
	_exit(1);
}

static void mount_at(const char *source, const char *target, const char *type, unsigned long flags, const char *data)
{
	mkdir(target, 0755);
	if (mount(source, target, type, flags, data) < 0)
		die(target);
}

/*
 * The host's root does not change under a guest as far as it can help it, so the guest may keep what it has read.
 * A kernel without overlays (ENODEV, before 3.18), or whose overlays do not lie on 9p (EINVAL, 3.18 itself), has it
 * read-only: what the lab writes lies on the system's tmpfs.
 */
static void enter_host_root(void)
{
	const char *root = "/root";

	mount_at("root", "/lower", "9p", MS_RDONLY, P9 ",cache=loose");
	mount_at("tmpfs", "/upper", "tmpfs", 0, "mode=755,size=75%");
	mkdir("/upper/upper", 0755);
	mkdir("/upper/work", 0755);
	mkdir(root, 0755);
	if (mount("overlay", root, "overlay", 0, "lowerdir=/lower,upperdir=/upper/upper,workdir=/upper/work") < 0) {
		if (errno != ENODEV && errno != EINVAL)
			die("overlay");
		root = "/lower";
	}
	if (chdir(root) < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 || chdir("/") < 0)
		die("changing root");
}

static void mount_system(void)
{
	mount_at("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	mount_at("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	mount_at("devtmpfs", "/dev", "devtmpfs", MS_NOSUID, "mode=755");
	mount_at("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "mode=620,ptmxmode=666");
	mount_at("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777");
	mount_at("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755");
	mount_at("tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777");
	mount_at("control", CONTROL, "9p", 0, P9);
}

static int command_line_has(const char *word)
{
	char text[4096] = "";
	FILE *file = fopen("/proc/cmdline", "r");

	if (file && !fgets(text, sizeof(text), file))
		text[0] = 0;
	if (file)
		fclose(file);
	for (char *at = strtok(text, " \n"); at; at = strtok(NULL, " \n"))
		if (!strcmp(at, word))
			return 1;
	return 0;
}

static void write_all(int fd, const char *data, ssize_t length)
{
	while (length > 0) {
		ssize_t n = write(fd, data, length);

		if (n < 0 && errno != EINTR)
			return;
		if (n > 0) {
			data += n;
			length -= n;
		}
	}
}

/* Reaps every orphan; true once `child` itself has ended. */
static int reap(pid_t child, int *status)
{
	int ended = 0, one;
	pid_t pid;

	while ((pid = waitpid(-1, &one, WNOHANG)) > 0) {
		if (pid == child) {
			*status = one;
			ended = 1;
		}
	}
	return ended;
}

/* A daemon left behind may hold the pipe open, so the child's end, not the pipe's, is the end. */
static int pump(pid_t child, int from, int to)
{
	static char buffer[65536];
	struct pollfd poller = { .fd = from, .events = POLLIN };
	int status = 0, ended = 0, open = 1;

	for (;;) {
		int ready;

		ended = ended || reap(child, &status);
		if (ended && !open)
			break;
		if (!open) {
			usleep(20000);
			continue;
		}
		ready = poll(&poller, 1, ended ? 0 : 50);
		if (ready > 0) {
			ssize_t n = read(from, buffer, sizeof(buffer));

			if (n > 0)
				write_all(to, buffer, n);
			else
				open = 0;
		} else if (ready == 0 && ended) {
			break;
		}
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void run_script(void)
{
	int out = open(PORT, O_WRONLY | O_CLOEXEC), ends[2], code;
	pid_t child;
	FILE *result;

	if (out < 0)
		die(PORT);
	if (pipe(ends) < 0)
		die("pipe");
	child = fork();
	if (child < 0)
		die("fork");
	if (child == 0) {
		setsid();
		dup2(open("/dev/null", O_RDONLY), 0);
		dup2(ends[1], 1);
		dup2(ends[1], 2);
		close(ends[0]);
		close(ends[1]);
		execl("/bin/sh", "sh", CONTROL "/init.sh", (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	code = pump(child, ends[0], out);
	/* Renamed into place, so that a guest that dies while writing has not answered. */
	result = fopen(CONTROL "/exit.tmp", "w");
	if (!result || fprintf(result, "%d\n", code) < 0 || fclose(result) || rename(CONTROL "/exit.tmp", CONTROL "/exit"))
		die("writing the exit code");
}

int main(void)
{
	enter_host_root();
	mount_system();
	clearenv();
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("HOME", "/root", 1);
	if (command_line_has("lab.init=systemd")) {
		if (system("sh " CONTROL "/systemd.sh") != 0)
			die("systemd.sh");
		/* Empty means no container, whatever files the host's root has that say otherwise. */
		setenv("container", "", 1);
		execl("/lib/systemd/systemd", "systemd", (char *)NULL);
		die("/lib/systemd/systemd");
	}
	run_script();
	sync();
	reboot(RB_POWER_OFF);
	return 0;
}
