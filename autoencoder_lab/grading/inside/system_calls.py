"""Which system calls a job may make: a filter for the kernel (seccomp), written in its classic BPF.

Every call up to number 450 was looked at, and those below are refused; whatever came into the kernel later does not
exist in here. So it is a list of what is refused, over a closed range. A list of what is allowed would be some 300
names, and each that it forgot a right answer that stops. "No such call" is the reply, for which libraries have another
way; the numbers are those of x86-64 and of aarch64, "-" for none.
"""

import struct

NEWEST = 450
ENOSYS, EINVAL, EPERM, EAFNOSUPPORT = 38, 22, 1, 97
ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
REFUSED = """
io_uring_setup 425 425 io_uring_enter 426 426 io_uring_register 427 427 io_setup 206 0 io_destroy 207 1
io_getevents 208 4 io_submit 209 2 io_cancel 210 3 io_pgetevents 333 292 userfaultfd 323 282 clone3 435 435
add_key 248 217 request_key 249 218 keyctl 250 219 ptrace 101 117 process_vm_readv 310 270 process_vm_writev 311 271
kcmp 312 272 pidfd_getfd 438 438 process_madvise 440 440 process_mrelease 448 448 bpf 321 280 perf_event_open 298 241
fadvise64 221 223 mincore 27 232 readahead 187 213 inotify_init 253 - inotify_init1 294 26 inotify_add_watch 254 27
inotify_rm_watch 255 28 fanotify_init 300 262 fanotify_mark 301 263
memfd_create 319 279 memfd_secret 447 447 shmget 29 194 shmat 30 196 shmctl 31 195 shmdt 67 197 semget 64 190
semop 65 193 semctl 66 191 semtimedop 220 192 msgget 68 186 msgsnd 69 189 msgrcv 70 188 msgctl 71 187 mq_open 240 180
mq_unlink 241 181 mq_timedsend 242 182 mq_timedreceive 243 183 mq_notify 244 184 mq_getsetattr 245 185
umount2 166 39 setns 308 268 pivot_root 155 41 chroot 161 51 open_tree 428 428 move_mount 429 429 fsopen 430 430
fsconfig 431 431 fsmount 432 432 fspick 433 433 mount_setattr 442 442 name_to_handle_at 303 264
open_by_handle_at 304 265 quotactl 179 60 quotactl_fd 443 443 swapon 167 224 swapoff 168 225 acct 163 89
kexec_load 246 104 kexec_file_load 320 294 init_module 175 105 finit_module 313 273 delete_module 176 106
create_module 174 - get_kernel_syms 177 - query_module 178 - reboot 169 142 syslog 103 116 settimeofday 164 170
adjtimex 159 171 clock_settime 227 112 clock_adjtime 305 266 sethostname 170 161 setdomainname 171 162 vhangup 153 58
iopl 172 - ioperm 173 - modify_ldt 154 - uselib 134 - _sysctl 156 - ustat 136 - sysfs 139 - personality 135 92
lookup_dcookie 212 18 nfsservctl 180 42 vserver 236 - move_pages 279 239 migrate_pages 256 238
"""
REFUSED_TO_JOBS = "mount 165 40 unshare 272 97"  # the worker makes each job's namespaces with these
NEW_NAMESPACES = 0x7E020000  # CLONE_NEWNS, …CGROUP, …UTS, …IPC, …USER, …PID, …NET
AF_UNIX, AF_INET, AF_INET6 = 1, 2, 10
SOCKET, SOCKETPAIR, CLONE, IOCTL, MADVISE = (41, 198), (53, 199), (56, 220), (16, 29), (28, 233)
FLOCK, FCNTL = (73, 32), (72, 25)
PREADV2, PWRITEV2 = (327, 286), (328, 287)
NO_WAIT = 0x8 | 0x80  # RWF_NOWAIT tells what is in the page cache, RWF_DONTCACHE takes it out
ADVICE = (1, 3, 20, 21)  # MADV_RANDOM, _WILLNEED, _COLD, _PAGEOUT: they steer the page cache
TERMINAL = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX: typing into a terminal
# A lock holds for all who see the file, on the host too: two processes could tell each other by it, and keep others
# out. Taking one seems to succeed, which is as good where nobody else can write
TAKING_LOCKS = (6, 7, 37, 38)  # F_SETLK, F_SETLKW, F_OFD_SETLK, F_OFD_SETLKW
ASKING = (5, 36, 1024, 1025, 1026)  # F_GETLK, F_OFD_GETLK, F_SETLEASE, F_GETLEASE, F_NOTIFY: what others do with a file


def refused(machine: str, job: bool) -> dict[str, int]:
    """{name: number} of the calls that are refused whatever their arguments; job: within a job's own process."""
    column = ARCHITECTURES[machine][1]
    words = (REFUSED + (REFUSED_TO_JOBS if job else "")).split()
    numbers = zip(words[::3], words[1 + column :: 3], strict=True)
    return {name: int(number) for name, number in numbers if number != "-"}


def program(machine: str, job: bool) -> bytes:
    """The filter as the kernel and bubblewrap's --seccomp take it; b"" for a machine whose numbers are not known."""
    if machine not in ARCHITECTURES:
        return b""
    architecture, column = ARCHITECTURES[machine]
    code = [_load(4), *_unless_equal(architecture, ENOSYS), _load(0)]
    code += [_jump(0x25, NEWEST, 0, 1), _reply(ENOSYS)]  # greater than: also the calls of x32
    for number in sorted(set(refused(machine, job).values())):
        code += [_jump(0x15, number, 0, 1), _reply(ENOSYS)]
    sockets = [_jump(0x15, family, 3 - place, 0) for place, family in enumerate((AF_UNIX, AF_INET, AF_INET6))]
    code += _where(SOCKET[column], 0, [*sockets, _reply(EAFNOSUPPORT)])
    code += _where(SOCKETPAIR[column], 0, _unless_equal(AF_UNIX, EAFNOSUPPORT))
    code += _where(CLONE[column], 0, [_jump(0x45, NEW_NAMESPACES, 0, 1), _reply(EPERM)])  # any of these bits
    for call in (PREADV2, PWRITEV2):
        code += _where(call[column], 5, [_jump(0x45, NO_WAIT, 0, 1), _reply(95)])  # EOPNOTSUPP
    code += [_jump(0x15, FLOCK[column], 0, 1), _reply(0)]
    of_arguments = ((MADVISE, 2, ADVICE, EINVAL), (IOCTL, 1, TERMINAL, EINVAL))
    for call, place, values, number in (*of_arguments, (FCNTL, 1, ASKING, EINVAL), (FCNTL, 1, TAKING_LOCKS, 0)):
        tests = [line for value in values for line in (_jump(0x15, value, 0, 1), _reply(number))]
        code += _where(call[column], place, tests)
    return b"".join([*code, struct.pack("=HBBI", 0x06, 0, 0, 0x7FFF0000)])  # allowed


def _load(offset: int) -> bytes:
    """Of struct seccomp_data: the number at 0, the architecture at 4, arguments from 16, of eight bytes each."""
    return struct.pack("=HBBI", 0x20, 0, 0, offset)


def _jump(test: int, value: int, yes: int, no: int) -> bytes:
    return struct.pack("=HBBI", test, yes, no, value)


def _reply(number: int) -> bytes:
    return struct.pack("=HBBI", 0x06, 0, 0, 0x00050000 | number)


def _unless_equal(value: int, number: int) -> list[bytes]:
    return [_jump(0x15, value, 1, 0), _reply(number)]


def _where(number: int, argument: int, tests: list[bytes]) -> list[bytes]:
    """Tests on the lower half of one call's argument; afterwards the call's number stands ready again."""
    return [_jump(0x15, number, 0, len(tests) + 2), _load(16 + 8 * argument), *tests, _load(0)]
