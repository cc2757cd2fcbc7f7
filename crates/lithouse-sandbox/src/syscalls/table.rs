// SPDX-License-Identifier: Apache-2.0
//! The system calls that a child may make, each group with its reason. What is not here is refused.

use libc::{c_int, c_long};

use crate::level::Level;

/// Calls that are allowed together.
pub(super) struct Allowance {
    pub(super) calls: &'static [c_long],
    pub(super) at: At,
    /// Any of these cases; none means without a condition.
    pub(super) cases: &'static [&'static [Condition]],
    #[cfg_attr(not(test), expect(dead_code, reason = "for whoever reads the table; a test holds that it is there"))]
    pub(super) reason: &'static str,
}

/// The levels at which something is allowed.
#[derive(Clone, Copy)]
pub(super) enum At {
    Every,
    /// Where the child's file system and processes are its own, so that it can only hit itself.
    Namespaces,
    /// Where files and the numbers of processes are the machine's.
    Machine,
    /// Where a cgroup counts memory and processes.
    Cgroup,
}

/// One argument must be `value` in the bits of `mask`.
pub(super) struct Condition {
    pub(super) argument: u8,
    pub(super) mask: u64,
    pub(super) value: u64,
}

impl At {
    pub(super) fn includes(self, level: Level) -> bool {
        match self {
            Self::Every => true,
            Self::Namespaces => level.has_namespaces(),
            Self::Machine => !level.has_namespaces(),
            Self::Cgroup => level == Level::Full,
        }
    }
}

const fn is(argument: u8, value: u64) -> Condition {
    Condition { argument, mask: WORD, value }
}

const fn flag(value: c_int) -> u64 {
    // Flags are bit patterns: the sign bit stays where it is, and nothing is extended.
    value.cast_unsigned() as u64
}

/// The same number everywhere; the C library's constants lack it for some architectures.
const SYS_FCHMODAT2: c_long = 452;
const WORD: u64 = 0xFFFF_FFFF;
const NO_CONDITION: &[&[Condition]] = &[];

/// What `clone` must not be asked for: namespaces, a parent or a tracer of somebody else's.
const CLONE_NEVER: u64 = flag(
    libc::CLONE_NEWNS
        | libc::CLONE_NEWCGROUP
        | libc::CLONE_NEWUTS
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUSER
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWNET
        | libc::CLONE_PARENT
        | libc::CLONE_PTRACE
        | libc::CLONE_UNTRACED,
);
const CLONE_THREAD: u64 = flag(libc::CLONE_THREAD);

/// What a thread shares with the others. With a table of descriptors for each, the limit of open files would hold for each as well.
const CLONE_SHARED: u64 = CLONE_THREAD | flag(libc::CLONE_VM | libc::CLONE_SIGHAND | libc::CLONE_FILES);

/// What a mapping must not be: huge pages are taken from the machine's reserve, which the cgroup's limit of memory does not count, and a
/// mapping that grows by itself is taken for a stack, which the limit of private memory does not count.
const MAP_NEVER: u64 = flag(libc::MAP_GROWSDOWN | libc::MAP_HUGETLB);

/// For the same reason neither `MFD_HUGETLB` nor what came later.
const MFD_OTHER: u64 = WORD & !FILE_FLAGS;
const FILE_FLAGS: u64 = (libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING | libc::MFD_NOEXEC_SEAL | libc::MFD_EXEC) as u64;

/// Not `MSG_OOB`, whose queue the kernel has had holes in, nor anything else that is seldom walked.
const MSG_OTHER: u64 =
    WORD & !flag(libc::MSG_PEEK | libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL | libc::MSG_WAITALL | libc::MSG_TRUNC);
const SOCKET_TYPE: u64 = 0xF;

pub(super) const ALLOWED: &[Allowance] = &[
    Allowance {
        calls: &[libc::SYS_mmap],
        at: At::Every,
        cases: &[
            &[Condition { argument: 3, mask: MAP_NEVER | flag(libc::MAP_SHARED), value: 0 }],
            &[Condition { argument: 3, mask: MAP_NEVER | flag(libc::MAP_ANONYMOUS), value: 0 }],
        ],
        reason: "memory that the limit of private memory counts, and files",
    },
    Allowance {
        calls: &[libc::SYS_mmap],
        at: At::Cgroup,
        cases: &[&[Condition { argument: 3, mask: MAP_NEVER | flag(libc::MAP_ANONYMOUS), value: flag(libc::MAP_ANONYMOUS) }]],
        reason: "memory shared without a file, which no limit but the cgroup's counts",
    },
    Allowance {
        calls: &[
            libc::SYS_brk,
            libc::SYS_munmap,
            libc::SYS_mprotect,
            libc::SYS_mremap,
            libc::SYS_madvise,
            libc::SYS_msync,
            libc::SYS_mincore,
            libc::SYS_membarrier,
        ],
        at: At::Every,
        cases: NO_CONDITION,
        reason: "memory of its own; how much is held by limits and the cgroup",
    },
    Allowance {
        calls: &[
            libc::SYS_read,
            libc::SYS_write,
            libc::SYS_readv,
            libc::SYS_writev,
            libc::SYS_pread64,
            libc::SYS_pwrite64,
            libc::SYS_preadv,
            libc::SYS_pwritev,
            libc::SYS_preadv2,
            libc::SYS_pwritev2,
            libc::SYS_lseek,
            libc::SYS_sendfile,
            libc::SYS_copy_file_range,
            libc::SYS_close,
            libc::SYS_close_range,
            libc::SYS_dup,
            libc::SYS_dup3,
            libc::SYS_fsync,
            libc::SYS_fdatasync,
            libc::SYS_fadvise64,
            libc::SYS_fallocate,
            libc::SYS_ftruncate,
        ],
        at: At::Every,
        cases: NO_CONDITION,
        reason: "using what is open; opening is decided by the tree and by Landlock. No `flock`, which keeps out others who lock what it can read",
    },
    Allowance {
        calls: &[
            libc::SYS_fstat,
            libc::SYS_newfstatat,
            libc::SYS_statx,
            libc::SYS_statfs,
            libc::SYS_fstatfs,
            libc::SYS_faccessat,
            libc::SYS_faccessat2,
            libc::SYS_readlinkat,
            libc::SYS_getdents64,
            libc::SYS_getcwd,
            libc::SYS_chdir,
            libc::SYS_fchdir,
            libc::SYS_umask,
        ],
        at: At::Every,
        cases: NO_CONDITION,
        reason: "looking at files; which are there is decided by the tree and by Landlock",
    },
    Allowance {
        calls: &[
            libc::SYS_listxattr,
            libc::SYS_llistxattr,
            libc::SYS_flistxattr,
            libc::SYS_getxattr,
            libc::SYS_lgetxattr,
            libc::SYS_fgetxattr,
        ],
        at: At::Namespaces,
        cases: NO_CONDITION,
        reason: "`shutil.copy2` looks for attributes, and takes only certain errors for \"none\"; Landlock does not rule reading them",
    },
    Allowance {
        calls: &[libc::SYS_openat],
        at: At::Every,
        cases: &[
            &[Condition { argument: 2, mask: flag(libc::O_TRUNC), value: 0 }],
            &[Condition { argument: 2, mask: flag(libc::O_ACCMODE), value: flag(libc::O_WRONLY) }],
            &[Condition { argument: 2, mask: flag(libc::O_ACCMODE), value: flag(libc::O_RDWR) }],
        ],
        reason: "opening files; not to read and to empty at once, which Landlock before its third version takes for reading",
    },
    Allowance {
        calls: &[libc::SYS_unlinkat, libc::SYS_renameat2, libc::SYS_mkdirat, libc::SYS_symlinkat, libc::SYS_linkat],
        at: At::Every,
        cases: NO_CONDITION,
        reason: "changing files in its own folder; all else is read-only, or refused by Landlock",
    },
    Allowance {
        calls: &[libc::SYS_fchmod, libc::SYS_fchmodat, libc::SYS_utimensat, libc::SYS_truncate],
        at: At::Namespaces,
        cases: NO_CONDITION,
        reason: "`shutil.copy` needs them; no Landlock, or not every one, rules them, so all else must be mounted read-only",
    },
    Allowance {
        calls: &[libc::SYS_fcntl],
        at: At::Every,
        cases: &[
            &[is(1, flag(libc::F_DUPFD))],
            &[is(1, flag(libc::F_DUPFD_CLOEXEC))],
            &[is(1, flag(libc::F_GETFD))],
            &[is(1, flag(libc::F_SETFD))],
            &[is(1, flag(libc::F_GETFL))],
            &[is(1, flag(libc::F_SETFL))],
            &[is(1, flag(libc::F_GETLK))],
            &[is(1, flag(libc::F_SETLK))],
            &[is(1, flag(libc::F_SETLKW))],
            &[is(1, flag(libc::F_OFD_GETLK))],
            &[is(1, flag(libc::F_OFD_SETLK))],
            &[is(1, flag(libc::F_OFD_SETLKW))],
            &[is(1, flag(libc::F_GETPIPE_SZ))],
            &[is(1, flag(libc::F_GET_SEALS))],
            &[is(1, flag(libc::F_ADD_SEALS))],
        ],
        reason: "flags and locks; not owners, by which the kernel sends signals, nor larger pipes, which no limit counts",
    },
    Allowance {
        calls: &[libc::SYS_ioctl],
        at: At::Every,
        cases: &[
            &[is(1, libc::TCGETS)],
            &[is(1, libc::TIOCGWINSZ)],
            &[is(1, libc::FIONREAD)],
            &[is(1, libc::FIONBIO)],
            &[is(1, libc::FIOCLEX)],
            &[is(1, libc::FIONCLEX)],
        ],
        reason: "asking whether it is a terminal, and flags; every other request is a driver's attack surface",
    },
    Allowance {
        calls: &[libc::SYS_clone],
        at: At::Every,
        cases: &[&[Condition { argument: 0, mask: CLONE_SHARED | CLONE_NEVER, value: CLONE_SHARED }]],
        reason: "threads",
    },
    Allowance {
        calls: &[libc::SYS_clone],
        at: At::Cgroup,
        cases: &[&[Condition { argument: 0, mask: CLONE_THREAD | CLONE_NEVER, value: 0 }]],
        reason: "processes, where a cgroup counts and ends them",
    },
    Allowance {
        calls: &[
            libc::SYS_futex,
            libc::SYS_set_robust_list,
            libc::SYS_rseq,
            libc::SYS_set_tid_address,
            libc::SYS_sched_yield,
            libc::SYS_sched_getaffinity,
            libc::SYS_sched_getparam,
            libc::SYS_sched_getscheduler,
            libc::SYS_sched_get_priority_max,
            libc::SYS_sched_get_priority_min,
            libc::SYS_getcpu,
            libc::SYS_gettid,
            libc::SYS_wait4,
            libc::SYS_waitid,
            libc::SYS_exit,
            libc::SYS_exit_group,
        ],
        at: At::Every,
        cases: NO_CONDITION,
        reason: "threads and their locks, and an end",
    },
    Allowance {
        calls: &[
            libc::SYS_rt_sigaction,
            libc::SYS_rt_sigprocmask,
            libc::SYS_rt_sigreturn,
            libc::SYS_rt_sigpending,
            libc::SYS_rt_sigsuspend,
            libc::SYS_rt_sigtimedwait,
            libc::SYS_sigaltstack,
            libc::SYS_restart_syscall,
            libc::SYS_setitimer,
            libc::SYS_getitimer,
        ],
        at: At::Every,
        cases: NO_CONDITION,
        reason: "receiving signals, and the timer that ends a run softly",
    },
    Allowance {
        calls: &[libc::SYS_kill, libc::SYS_tgkill, libc::SYS_tkill],
        at: At::Namespaces,
        cases: NO_CONDITION,
        reason: "sending signals, where only its own processes have numbers; `abort` is one",
    },
    Allowance {
        calls: &[
            libc::SYS_clock_gettime,
            libc::SYS_clock_getres,
            libc::SYS_clock_nanosleep,
            libc::SYS_nanosleep,
            libc::SYS_gettimeofday,
            libc::SYS_timerfd_create,
            libc::SYS_timerfd_settime,
            libc::SYS_timerfd_gettime,
        ],
        at: At::Every,
        cases: NO_CONDITION,
        reason: "telling the time, and waiting",
    },
    Allowance {
        calls: &[
            libc::SYS_getpid,
            libc::SYS_getppid,
            libc::SYS_getuid,
            libc::SYS_geteuid,
            libc::SYS_getgid,
            libc::SYS_getegid,
            libc::SYS_getresuid,
            libc::SYS_getresgid,
            libc::SYS_getgroups,
            libc::SYS_getrusage,
            libc::SYS_times,
            libc::SYS_uname,
            libc::SYS_sysinfo,
            libc::SYS_getrandom,
        ],
        at: At::Every,
        cases: NO_CONDITION,
        reason: "facts about itself and the machine, and random numbers",
    },
    Allowance {
        calls: &[libc::SYS_getpgid, libc::SYS_getsid, libc::SYS_getpriority],
        at: At::Namespaces,
        cases: NO_CONDITION,
        reason: "facts about processes, where only its own have numbers",
    },
    Allowance {
        calls: &[libc::SYS_getpgid, libc::SYS_getsid],
        at: At::Machine,
        cases: &[&[is(0, 0)]],
        reason: "its own group and session, and nobody else's",
    },
    Allowance {
        calls: &[libc::SYS_getpriority],
        at: At::Machine,
        cases: &[&[is(1, 0)]],
        reason: "its own priority, and nobody else's",
    },
    Allowance {
        calls: &[libc::SYS_prlimit64],
        at: At::Every,
        cases: &[&[is(0, 0)]],
        reason: "its own limits, which it can read and lower; raising takes a capability",
    },
    Allowance {
        calls: &[libc::SYS_prctl],
        at: At::Every,
        cases: &[&[is(0, flag(libc::PR_SET_NAME))], &[is(0, flag(libc::PR_GET_NAME))], &[is(0, flag(libc::PR_SET_VMA))]],
        reason: "names of threads and of memory; not the death signal, the dumpable flag or the securebits",
    },
    Allowance {
        calls: &[
            libc::SYS_ppoll,
            libc::SYS_pselect6,
            libc::SYS_epoll_create1,
            libc::SYS_epoll_ctl,
            libc::SYS_epoll_pwait,
            libc::SYS_eventfd2,
            libc::SYS_pipe2,
        ],
        at: At::Every,
        cases: NO_CONDITION,
        reason: "event loops, and threads that wake each other",
    },
    Allowance {
        calls: &[libc::SYS_socketpair],
        at: At::Every,
        cases: &[
            &[is(0, flag(libc::AF_UNIX)), Condition { argument: 1, mask: SOCKET_TYPE, value: flag(libc::SOCK_STREAM) }],
            &[is(0, flag(libc::AF_UNIX)), Condition { argument: 1, mask: SOCKET_TYPE, value: flag(libc::SOCK_SEQPACKET) }],
        ],
        reason: "`asyncio` wakes itself with one; a datagram socket could be sent from to any name",
    },
    Allowance {
        calls: &[libc::SYS_shutdown, libc::SYS_getsockname, libc::SYS_getpeername, libc::SYS_getsockopt],
        at: At::Every,
        cases: NO_CONDITION,
        reason: "using such a pair",
    },
    Allowance {
        calls: &[libc::SYS_sendto, libc::SYS_recvfrom],
        at: At::Every,
        cases: &[&[Condition { argument: 3, mask: MSG_OTHER, value: 0 }]],
        reason: "sending and receiving; not `sendmsg`, which would carry descriptors",
    },
    Allowance {
        calls: &[libc::SYS_memfd_create],
        at: At::Cgroup,
        cases: &[&[Condition { argument: 1, mask: MFD_OTHER, value: 0 }]],
        reason: "memory that belongs to no process, so only where the cgroup counts it",
    },
    #[cfg(target_arch = "x86_64")]
    Allowance {
        calls: &[
            libc::SYS_stat,
            libc::SYS_lstat,
            libc::SYS_access,
            libc::SYS_readlink,
            libc::SYS_getdents,
            libc::SYS_unlink,
            libc::SYS_rmdir,
            libc::SYS_mkdir,
            libc::SYS_rename,
            libc::SYS_renameat,
            libc::SYS_symlink,
            libc::SYS_link,
            libc::SYS_dup2,
            libc::SYS_pipe,
            libc::SYS_poll,
            libc::SYS_select,
            libc::SYS_epoll_create,
            libc::SYS_epoll_wait,
            libc::SYS_eventfd,
            libc::SYS_pause,
            libc::SYS_alarm,
            libc::SYS_time,
            libc::SYS_getpgrp,
            libc::SYS_getrlimit,
            libc::SYS_setrlimit,
        ],
        at: At::Every,
        cases: NO_CONDITION,
        reason: "older names of what is allowed above",
    },
    #[cfg(target_arch = "x86_64")]
    Allowance {
        calls: &[libc::SYS_open],
        at: At::Every,
        cases: &[
            &[Condition { argument: 1, mask: flag(libc::O_TRUNC), value: 0 }],
            &[Condition { argument: 1, mask: flag(libc::O_ACCMODE), value: flag(libc::O_WRONLY) }],
            &[Condition { argument: 1, mask: flag(libc::O_ACCMODE), value: flag(libc::O_RDWR) }],
        ],
        reason: "the older name of `openat`",
    },
    #[cfg(target_arch = "x86_64")]
    Allowance {
        calls: &[libc::SYS_fork, libc::SYS_vfork],
        at: At::Cgroup,
        cases: NO_CONDITION,
        reason: "older names of `clone` without threads",
    },
    #[cfg(target_arch = "x86_64")]
    Allowance {
        calls: &[libc::SYS_chmod, libc::SYS_utime, libc::SYS_utimes],
        at: At::Namespaces,
        cases: NO_CONDITION,
        reason: "older names of `fchmodat` and `utimensat`",
    },
    #[cfg(target_arch = "aarch64")]
    Allowance {
        calls: &[libc::SYS_renameat, libc::SYS_getrlimit, libc::SYS_setrlimit],
        at: At::Every,
        cases: NO_CONDITION,
        reason: "older names of what is allowed above",
    },
];

/// Calls that are told to be unknown rather than forbidden: the C library then takes the older call that does the same, and the
/// filter can look into that one's arguments.
pub(super) const UNKNOWN: &[(c_long, &str)] = &[
    (libc::SYS_clone3, "its flags are in memory, where a filter cannot look; `clone` serves"),
    (libc::SYS_openat2, "`openat` serves"),
    (libc::SYS_epoll_pwait2, "`epoll_pwait` serves"),
    (SYS_FCHMODAT2, "`fchmodat` serves"),
    (libc::SYS_io_uring_setup, "libraries ask whether there is one, and take `epoll`"),
];

/// Every call above this number came after Linux 6.6 or so; whoever uses it is prepared for a kernel without it.
pub(super) const NEWEST: c_long = 462;
