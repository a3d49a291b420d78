package kevent

import (
	"regexp"
	"strings"
)

// A report is about the innermost function that is not one of the kernel's general helpers.
// The tables have these helpers, by the folder of the kernel's sources; leading underscores of a
// name are ignored. What else may precede a name is listed: my_memcpy is the function of a driver.

// reporting matches the functions that notice a defect or print its report.
var reporting = table(
	// printing: kernel/printk, lib/dump_stack.c, lib/vsprintf.c, kernel/stacktrace.c
	`dump_(?:stack|backtrace|page|header|task)\w*`, `show_(?:stack|regs|trace)\w*`, `(?:v|(?:dev|netdev)_v?|warn_|trace_|bpf_trace_|early_)?printk(?:_\w+)?`,
	`print_\w+`, `(?:spin|rwlock)_(?:dump|bug)`,
	`(?:devm_)?(?:v?s|v?sn|v?scn|k?v?as|kv?as|seq_v?|bstr_)printf`,
	`(?:pointer|number|string|string_nocheck|symbol_string|widen_string|hex_string|error_string|format_decode)`,
	`(?:save_stack|stack_trace|arch_stack_walk|walk_stack|stack_?depot|depot|unwind|orc|bad_stack)\w*`,
	`(?:is_)?(?:kernel|core_kernel|module|bpf)_text_address`,
	// panics and warnings: kernel/panic.c, lib/bug.c, rust
	`v?panic(?:_\w+)?`, `(?:arm64_serror|fortify|mce|nmi|reiserfs|skb)_panic`,
	`warn(?:_\w+)?`, `report_(?:bug|cfi)\w*`, `(?:fixup|handle)_bug\w*`, `bug_(?:handler|brk)\w*`, `ass(?:ert)?\w*fail\w*`,
	`fortify_(?:panic|report)`, `stack_chk_\w+`, `usercopy_abort`, `bad_page\w*`, `check_panic_on_warn`, `(?:R\w*)?rust_begin_unwind`, `R\w*_4core\w*`, `rust_helper_BUG`,
	// traps: arch
	`do_(?:error_trap|invalid_op|trap|general_protection|page_fault|user_addr_fault|kern_addr_fault|divide_error|int3|nmi)\w*`, `invalid_op`,
	`(?:asm_)?(?:exc_|sysvec_|common_interrupt)\w*`, `(?:async_)?page_fault\w*`, `x86_(?:indirect|return)_\w+`,
	`el[01]\w*`, `brk_handler`, `do_(?:kernel_fault|user_fault|translation_fault|mem_abort|DataAbort|PrefetchAbort|undefinstr|el[01]_\w+)\w*`,
	`do_tag_\w+`, `dabt_\w+`, `(?:do|arm64)_serror\w*`, `handle_bad_stack`,
	`(?:program_check|data_access|instruction_access|alignment|hardware_interrupt|decrementer|data_storage)_?(?:exception|common|virt|slb|user)\w*`,
	// sanitizers: mm/kasan, mm/kmsan, mm/kfence, kernel/kcsan, lib/ubsan.c, kernel/kcov.c
	`(?:kasan|asan|hwasan|kmsan|msan|kcsan|tsan|ubsan|kfence|sanitizer|kcov|quarantine)_\w+`, `check_memory_region\w*`,
	`(?:start|end|complete|describe|finalize)_report\w*`, `handle_(?:overflow|object_size|misaligned|null_ptr|divrem)\w*`,
	// lockdep: kernel/locking/lockdep.c, kernel/trace/trace_preemptirq.c
	`(?:debug_|rcu_|rcu_sync_)?lockdep_\w+`, `touch_wq_lockdep_map`,
	`lock_(?:acquire|release|contended|is_held|pin|unpin|set|downgrade|map|sync|reset|assert)\w*`,
	`check_(?:prev|prevs|deadlock|wait|noncircular|usage|chain|irq|flags|path)\w*`, `validate_chain`, `mark_(?:lock|held|usage)\w*`,
	`(?:register|reinit|zap|look_?up)_(?:lock_)?class`, `find_held_lock`, `reacquire_held_locks`, `save_trace`, `fs_reclaim_\w+`, `hlock_\w+`,
	`trace_(?:hardirqs|softirqs|lock|contention|irq|preempt)\w*`,
	// other checks: lib/debugobjects.c, lib/smp_processor_id.c, kernel/sched/core.c, lib/ref_tracker.c, lib/fault-inject.c
	`debug_(?:print|object|check_no|smp_processor|locks|rcu|mutex|spin|lockdep|hrtimer|timer|work|activate|deactivate|assert|init)\w*`,
	`(?:timer|work|hrtimer)_(?:is_static_object|fixup_\w+)`, `check_preemption\w*`, `might_\w+`, `schedule_(?:bug|debug)`, `ref_tracker_\w+`, `should_fail\w*`,
	// stalls: kernel/watchdog.c, lib/nmi_backtrace.c, kernel/rcu
	`nmi\w*`, `perf_event_(?:overflow|nmi)\w*`, `(?:intel|amd|x86|p4|knc|armv\d\w*|riscv)_pmu_handle_irq\w*`,
	`arch_trigger_\w+`, `watchdog\w*`, `check_cpu_stall`, `rcu_\w*(?:stall|dump)\w*`,
)

// helpers matches the functions of general use.
var helpers = table(
	// memory and strings: lib/string.c, lib/string_helpers.c, lib/crc*.c, arch/*/lib
	`(?:k|kv|v|nla_|asan_|hwasan_|msan_|pi_|inline_)?mem(?:cpy|set(?:16|32|64)?|move|cmp|chr|dup)(?:_\w+)?`, `rep_(?:movs|stos)_alternative`,
	`(?:k|nla_|pi_|sized_)?str(?:n|l|s|r|n?case)?(?:cmp|cpy|len|chr|chrnul|str|dup|cat)(?:_\w+)?`, `crc\d\w*`, `crc_itu_t`,
	// user space: lib/iov_iter.c, lib/usercopy.c, mm/usercopy.c, mm/maccess.c
	`(?:raw_|simple_|instrument_|csum_and_|bpf_prog_array_)?copy_(?:\w+_)?(?:to|from)_(?:user|iter)\w*`,
	`(?:get|put)_user\w*`, `copy_user_\w+`, `copyin`, `copyout`, `extract_\w+_to_sg\w*`,
	`check_(?:heap_)?object\w*`, `read_word_at_a_time`, `(?:read|write)_once\w*`,
	// bits and references: include/linux/bitops.h, atomic.h, refcount.h, kref.h
	`(?:arch_|test_and_)*(?:set|clear|change|test)_bit\w*`,
	`(?:raw_|arch_)*atomic(?:64|_long)?_(?:add|and|cmpxchg|dec|fetch|inc|or|read|set|sub|try|xchg|xor)\w*`,
	`(?:refcount|kref)_\w+`,
	// lists and trees: lib/list_debug.c, rbtree.c, klist.c, xarray.c, idr.c, rhashtable.c
	`[hlp]?list_(?:add|del|replace|move|splice)(?:_\w+)?`, `(?:rb|klist)_\w+`, `xas_(?:start|load|find)\w*`, `ida_free`, `rhashtable_lookup\w*`,
	// printing: drivers/base/core.c, lib/hexdump.c
	`dev_(?:emerg|alert|crit|err|warn|notice|info)`, `(?:print_hex_dump|hex_dump_to_buffer)\w*`,
	// locks: kernel/locking, include/linux
	`(?:(?:do|cfi|raw|native|pv|queued|arch|bit|rcu|srcu|cpus|percpu|reiserfs|rust_helper)_+)*(?:spin|read|write)_(?:un|try)?lock(?:_\w+)?`,
	`raw_spin_rq\w*`, `(?:call_rwsem_|rwsem_|ldsem_|percpu_)?(?:down|up)_(?:read|write)(?:_\w+)?`,
	`down`, `down_trylock`,
	`(?:rt_|ww_)?mutex_\w+`, `osq_\w+`, `local_bh_(?:en|dis)able\w*`, `(?:un)?lock_page\w*`, `folio_unlock`, `seqprop_assert\w*`,
	// waiting: kernel/sched, kernel/rcu/srcutree.c
	`wake_up\w*`, `complete`, `wait_for_completion\w*`, `wait_for_common\w*`, `finish_wait`, `cleanup_srcu_struct`,
	`(?:io_)?schedule_timeout\w*`, `schedule_hrtimeout\w*`, `[mfs]sleep`, `msleep_interruptible`, `usleep_range\w*`,
	`synchronize_(?:rcu|srcu|net|sched)\w*`, `wait_rcu_gp`, `(?:s?rcu|rcu_tasks)_barrier\w*`,
	// timers: kernel/time/timer.c
	`(?:try_to_)?del_timer\w*`, `mod_timer\w*`, `lock_timer_base`, `timer_delete_sync`, `sk_stop_timer_sync`,
	// work queues and kernel threads: kernel/workqueue.c, kernel/kthread.c
	`(?:kthread_)?queue_(?:delayed_)?work(?:_\w+)?`, `insert_work`, `(?:kthread_)?flush_(?:delayed_)?work\w*`,
	`cancel_(?:delayed_)?work\w*`, `(?:drain|destroy)_workqueue`,
	`try_to_grab_pending`, `kthread_stop\w*`,
	// allocation: mm/slub.c, page_alloc.c, vmalloc.c, filemap.c, net/core/skbuff.c
	`(?:devm_|kasan_|mempool_|pcpu_mem_|rust_helper_|free_large_)?k?v?[kvmzc]alloc(?:_\w+)?`, `(?:devm_|rust_helper_)?kv?realloc\w*`,
	`(?:kasan_|mempool_)?(?:kmem_cache|slab)_\w+`, `allocate_slab`, `(?:dma_|page_pool_)?alloc_(?:frozen_)?pages?(?:_\w+)?`,
	`folio_alloc\w*`, `filemap_(?:alloc|get)_folio\w*`, `kv?free`, `(?:dev_|rtnl_|consume_)?kfree_skb\w*`,
	`(?:pagecache_get|read_cache|find_or_create)_page\w*`, `do_read_cache_\w+`, `grab_cache_page_write_begin`, `phys_addr\w*`,
	// objects and devices: lib/kobject*.c, drivers/base, fs/sysfs
	`kobject_\w*`, `add_uevent_var`, `(?:dpm_)?sysfs_remove\w*`, `put_device`, `get_device_parent`, `devres_release_all`,
	`(?:root_|platform_)?device_(?:add|del|unregister|destroy|release|for_each_child|remove_file)\w*`,
	// other parts that only pass a device or a file on
	`unregister_netdev\w*`, `rollback_registered\w*`, `tty_unregister_device`, `hwrng_unregister`, `i2c_del_adapter`, `unregister_client`,
	`usb_(?:kill|submit|hcd_submit)_(?:anchored_)?urbs?`, `usb_(?:control|bulk|interrupt)_msg\w*`, `usb_start_wait_urb`, `dummy_urb_enqueue`,
	`(?:fast_)?dput`, `iput(?:_final)?`, `ihold`, `drop_nlink`, `mark_buffer_dirty`, `find_lock_entries`, `truncate_inode_pages_range`,
	// input and output: arch/*/include/asm/io.h, lib/logic_pio.c
	`(?:raw_)?(?:read|write)[bwlq](?:_relaxed)?`, `logic_(?:in|out)\w*`,
	// events for tools: kernel/trace
	`perf_trace_\w+`,
)

// table returns a pattern of whole names. Underscores may precede each of them.
func table(names ...string) *regexp.Regexp {
	return regexp.MustCompile(`^_*(?:` + strings.Join(names, "|") + `)$`)
}

// helpersOf has further helpers: those of some reports.
var helpersOf = []struct {
	kind  Kind
	title string // what the title contains
	names *regexp.Regexp
}{
	{Warning, " lib/debugobjects.c:", table(
		`debug_\w+`, `(?:call_|kvfree_call_)?rcu\w*`, `(?:percpu|hrtimer|timer|work)_\w+`, `(?:init|destroy)_(?:timer|work|rcu_head)\w*`,
		`v(?:unmap|free)\w*`, `free_\w+`,
	)},
	{Warning, " mm/usercopy.c:", table(`usercopy\w*`, `check\w*`)},
	{Bug, " mm/usercopy.c:", table(`usercopy\w*`, `check\w*`)},
	{Warning, " kernel/dma/debug.c:", table(`check_(?:unmap|sync)`, `(?:debug_)?dma_\w+`)},
	{Warning, " rcu_note_context_switch", table(`rcu_note_context_switch`, `(?:preempt_)?schedule(?:_common|_irq|_notrace|_preempt_disabled|_rtlock)?`)},
	{Warning, " arch/x86/mm/ioremap.c:", table(`(?:devm_|pci_|pcim_)?io(?:re)?map\w*`)},
	{Warning, " mm/vmalloc.c:", table(`v(?:un)?map\w*`, `k?vfree\w*`, `(?:find|remove)_vm_area`, `vm_remove_mappings`)},
	{Warning, " fs/proc/generic.c:", table(`proc_\w+`)},
	{Bug, "kernel BUG at ", table(`skb_\w+`)},
	{Bug, "in preemptible", table(`\w*(?:preempt|processor_id|this_cpu)\w*`)},
	{AtomicSleep, "scheduling while atomic", table(`\w*schedule\w*`)},
	{HungTask, "can't die", table(`\w*schedule\w*`)},
	{Kmemleak, "", table(`\w*(?:alloc|mmap)\w*`, `\w*create_object`, `idr_get\w*`, `list_lru_init`, `pcpu_create\w*`)},
	{KMSAN, "", table(`\w*alloc_skb\w*`, `netlink_(?:ack|rcv_skb)`, `(?:crypto|cipher|drbg|rng)_\w+`, `\w+_encrypt`)},
	{Lockdep, "suspicious RCU usage", table(`\w*rcu\w*`)},
	{Lockdep, "circular", table(`process_one_work`)},
	{Lockdep, " kernel/locking/lockdep.c:", table(`lock_sock\w*`, `release_sock`)},
	{Lockdep, "nvalid wait context", table(`lock_sock\w*`, `release_sock`)},
	{Lockdep, "non-static key", table(`\w*(?:stack|lock|IRQ)\w*`)},
	{OOM, "", table(`oom_\w+`, `\w*out_of_memory`, `vma_alloc_\w*folio\w*`, `alloc_anon_folio`, `folio_prealloc`)},
	{Panic, "Attempted to kill", table(`do_(?:group_)?exit`)},
	{Panic, "", table(`kthread`, `ret_from_fork\w*`, `start_secondary`, `cpu_startup_entry`, `do_syscall_\w+`, `entry_\w+`)},
	{Panic, "corrupted stack end", table(`\w*schedule\w*`, `retint_kernel`)},
}

// waits matches the functions that only wait, in the report of a task that hangs.
var waits = table(`\w*(?:sched|_(?:slow)?lock|down|rwsem|completion|kthread|wait|synchronize|switch_to|context_switch)\w*`, `\w*cancel_delayed_work\w*`, `\w*rcu_barrier\w*`)

// callers matches the functions that call another part of the kernel: the handler of a system
// call, a file, a packet, a timer, a work item. The innermost functions of a loop differ from one
// stall to the next; the one that these call stays.
var callers = table(
	// arch
	`\w*do_(?:fast_)?syscall_\w+`, `\w*(?:sysenter|tracesys)_\w+`, `el0_svc_\w+`, `\w*invoke_syscall\w*`, `\w*ret_fast_syscall`, `(?:do_)?page_fault`,
	`\w*exit_to_usermode\w*`, `start_secondary`, `ret_from_fork\w*`,
	// kernel
	`process_one_work`, `task_work_run`, `do_softirq\w*`, `call_timer_fn`, `run_timers`, `run_timer_softirq`, `\w*hrtimer_run\w*`, `run_ksoftirqd`,
	`smpboot_thread_fn`, `kthread`, `tasklet_(?:hi_)?action\w*`, `cpu_startup_entry`,
	// fs, mm
	`\w*vfs_(?:iter_)?(?:read|write)\w*`, `\w*vfs_(?:ioctl|open)\w*`, `do_iter_(?:read|write)\w*`, `call_(?:read_iter|write_iter|mmap)\w*`,
	`new_sync_(?:read|write)`, `\w*(?:ksys|compat|compat_sys|blkdev|blkdev_driver)_ioctl\w*`, `do_dentry_open`, `fput`, `\w*mmap_region\w*`,
	`proc_reg_\w+`, `seq_read(?:_iter)?`, `kernfs_(?:fop_|seq_show)\w*`, `sysfs_kf_\w+`, `(?:kobj|dev|bus|drv|class)_attr_(?:show|store)`,
	`full_proxy_\w+`, `simple_attr_(?:read|write)\w*`,
	`\w*do_mmap\w*`, `do_fault`,
	// net
	`\w*netif_receive_skb\w*`, `(?:compat_)?sock_(?:sendmsg|recvmsg|release|mmap|ioctl|do_ioctl)\w*`, `(?:kernel|sock_common)_setsockopt`,
	`setsockopt`, `(?:kernel_)?(?:listen|accept)`, `sk_common_release`, `(?:nfnetlink|rtnetlink)_rcv_msg\w*`, `netlink_dump\w*`,
	`(?:sys_)?(?:socketpair|connect|ioctl)\w*`,
)

// interrupts matches the functions at which an interrupt enters the kernel.
var interrupts = table(`\w*apic_timer_interrupt\w*`, `el1h_64_irq`, `irq_svc`)
