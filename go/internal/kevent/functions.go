package kevent

import (
	"regexp"
	"strings"
)

// A report is about the innermost function that is not one of the kernel's general helpers.
// The tables have these helpers, by the folder of the kernel's sources; leading underscores of a
// name are ignored.

// reporting matches the functions that notice a defect or print its report.
var reporting = table(
	// printing: kernel/printk, lib/dump_stack.c, lib/vsprintf.c, kernel/stacktrace.c
	`dump_stack\w*`, `show_(?:stack|regs|trace|frame)\w*`, `(?:printk|vprintk|pr_cont)\w*`, `print_\w+`,
	`dump_(?:stack|backtrace|page|header|task|cpu|mem|instr|oops|vma|mapping|trace|unreclaimable)\w*`,
	`v?s[cn]*printf`, `k?v?asprintf\w*`, `v?sscanf`, `vbin_printf`, `bstr_printf`, `format_decode`,
	`(?:pointer|string|number|symbol_string|widen_string|string_nocheck|hex_string|put_dec\w*|skip_atoi|error_string|move_right)`,
	`(?:save_stack|stack_trace|arch_stack_walk|walk_stack|stack_depot|unwind|orc|deref_stack|bad_stack)\w*`, `update_stack_state`,
	`get_stack_info`, `in_\w*stack`,
	`(?:is_)?\w*text_address`, `sched_show_\w+`,
	// panics and warnings: kernel/panic.c, lib/bug.c
	`panic\w*`, `vpanic`, `\w+_panic`, `warn`, `warn_\w+`, `report_(?:bug|cfi)\w*`, `fixup_bug\w*`, `handle_bug\w*`,
	`bug_(?:handler|brk)\w*`, `corrupted`, `assert\w*fail\w*`,
	`die\w*`, `oops_\w+`, `add_taint`, `fortify_(?:panic|report)`, `stack_chk_\w+`, `usercopy_(?:abort|warn)`, `cfi_\w+`,
	`check_panic_on_warn`,
	// traps: arch/x86
	`do_(?:error_trap|invalid_op|trap|general_protection|page_fault|user_addr_fault|kern_addr_fault|divide_error|int3|nmi|double_fault|async_page_fault|stack_segment|bounds|debug|coprocessor_error)\w*`,
	`invalid_op`, `(?:asm_)?(?:exc_|sysvec_|common_interrupt)\w*`, `idtentry\w*`, `(?:async_)?page_fault\w*`,
	`error_(?:entry|return|exit|code|kernelspace)`,
	`(?:common_exception|double_fault|general_protection|divide_error|stack_segment|segment_not_present|int3|trap_\w+)`,
	`no_context`, `bad_area\w*`, `(?:kernelmode|user|spurious)_(?:kernel_)?fault\w*`, `fault_in_kernel\w*`,
	`x86_(?:indirect|return)_\w+`, `retpoline\w*`, `asm_call_\w+`, `irqentry_\w+`,
	// traps: arch/arm, arm64
	`el[01]\w*`, `vectors`, `call_on_irq_stack`, `brk_handler`,
	`do_(?:kernel_fault|user_fault|translation_fault|mem_abort|sp_pc_abort|DataAbort|PrefetchAbort|undefinstr|sea|serror|el[01]_\w+)\w*`,
	`arm64_\w*(?:fault|abort|serror)\w*`, `do_tag_\w+`, `(?:und|dabt|pabt|irq|fiq)_(?:svc|usr)\w*`, `dabt_\w+`, `call_undef_hook`,
	`try_handling_\w+`, `bug_get_\w+`,
	// traps: arch/powerpc, s390, riscv, mips, loongarch
	`(?:program_check|data_access|instruction_access|alignment|machine_check|hardware_interrupt|decrementer|data_storage|interrupt_return)_?(?:exception|common|interrupt|virt|slb|user|srr)\w*`,
	`bad_page_fault`, `hash_page\w*`, `(?:pgm_check|do_protection|do_dat|do_report|illegal_op|monitor_event)\w*`,
	`handle_(?:exception|fault|sys|sys64|ri|bp|tr|adel|ades|tlb[lsm]|mod)(?:_int)?`, `do_(?:trap_\w+|bp|ri|ade|tr|cpu|be)`, `ret_from_exception`,
	`die_kernel_fault`,
	// sanitizers: mm/kasan, mm/kmsan, mm/kfence, kernel/kcsan, lib/ubsan.c, kernel/kcov.c
	`(?:kasan|asan|hwasan|kmsan|msan|kcsan|tsan|ubsan|kfence|sanitizer|kcov)_\w+`,
	`check_(?:memory_region|region_inline|usage_violation)\w*`, `memory_is_\w+`,
	`(?:start|end|complete|describe|finalize)_report\w*`, `describe_\w+`, `report_(?:access|race\w*|enabled|suppressed)`,
	`bytes_(?:is|are)_\w+`,
	`handle_(?:overflow|object_size|misaligned|null_ptr|divrem)\w*`, `val_to_string`, `(?:find|setup|set|get)_\w*watchpoint\w*`,
	`write_comp_data`, `fentry`, `ftrace_\w+`, `mcount\w*`, `check_(?:kcov|access)\w*`, `(?:stackdepot|depot|quarantine)_\w+`,
	`R\w*(?:rust_begin_unwind|panicking)\w*`,
	// lockdep: kernel/locking/lockdep.c
	`lock(?:dep)?_(?:acquire|release|set|init|reinit|is|rcu|reset|unlock|stats|downgrade|map|hardirqs|softirqs|free|sys|contended|acquired|pin|repin|unpin|sync|assert)\w*`,
	`lockdep_\w+`,
	`check_(?:prev|prevs|deadlock|wait|noncircular|usage|chain|irq|irqs|flags|unmap|preemption|lock|redundant|path|no_collision|cpu_stall)\w*`,
	`validate_chain`, `mark_(?:lock|held|usage)\w*`, `(?:register|reinit|zap)_(?:lock_)?class`, `look_?up_(?:lock_class|chain)\w*`,
	`assign_lock_key`, `(?:add|alloc)_(?:lock_to|list|lock_chain|chain)\w*`, `static_obj`, `find_(?:held_lock|usage\w*)`,
	`reacquire_held_locks`, `save_trace`, `fs_reclaim_(?:acquire|release)`, `match_held_lock`,
	`bfs(?:_(?:backwards|forwards|error|init\w*|next))?`, `(?:graph|hlock)_\w*lock\w*`, `hlock_\w+`,
	`trace_(?:hardirqs|softirqs|lock|contention|irq|preempt)\w*`, `irqflags\w*`, `look_up_lock_class`, `in_lock_functions`, `\w+_lockdep_\w+`,
	// other checks: lib/debugobjects.c, lib/smp_processor_id.c, kernel/sched/core.c, lib/ref_tracker.c, lib/fault-inject.c
	`debug_(?:print_object|object\w*|check_no_\w*|smp_processor_id|locks_off|show\w*|hrtimer\w*|timer\w*|work\w*|rcu\w*|mutex\w*|spin\w*|lockdep\w*|activate|deactivate|assert_init|init|atomic\w*)`,
	`(?:timer|work|hrtimer)_(?:is_static_object|fixup_\w+)`, `(?:is_)?static_object`, `this_cpu_preempt\w*`, `check_preemption\w*`,
	`might_\w+`, `schedule_(?:bug|debug)`, `cant_(?:sleep|migrate)`, `(?:preempt_count|preempt_latency)_\w+`, `ref_tracker_\w+`,
	`should_fail\w*`, `should_fail(?:slab|_\w+)`, `fail(?:_dump|slab\w*)`, `fault_create\w*`,
	// stalls: kernel/watchdog.c, lib/nmi_backtrace.c, kernel/rcu
	`nmi\w*`, `default_do_nmi`, `end_repeat_nmi`, `arch_trigger_\w+`, `trigger_\w*cpu\w*`, `watchdog\w*`,
	`rcu_\w*(?:stall|dump)\w*`, `(?:is_)?softlockup\w*`, `touch_\w*watchdog\w*`, `hpet_rtc_\w+`, `perf_event_overflow\w*`,
	`intel_pmu_handle\w*`, `handle_pmi_common`,
)

// helpers matches the functions of general use.
var helpers = table(
	// memory and strings: lib/string.c, arch/*/lib, lib/string_helpers.c, lib/vsprintf.c, lib/kstrtox.c
	`(?:arch_|pi_|real_)?mem(?:cpy|set|move|cmp|chr|scan|swap|zero|dup|weight|copy|chr_inv|cat_p)\w*`, `bcmp`,
	`(?:sized_)?str(?:n|l|s|r|c)?(?:len|cpy|cat|cmp|chr|str|dup|spn|pbrk|sep|chrnul|case\w*)\w*`,
	`(?:strim|strreplace|stpcpy|skip_spaces|match_string|sysfs_streq)`, `string_(?:escape_mem|unescape|get_size)`,
	`(?:clear|copy)_(?:user_)?(?:high|huge)?page\w*`,
	`simple_strto\w+`, `k?strto\w+`, `parse_integer\w*`, `hex_?(?:2bin|dump_to_buffer|to_bin)`, `bin2hex`,
	`seq_(?:printf|vprintf|puts|putc|write|put_\w+|escape\w*)`, `seq_buf_\w+`,
	// user space: lib/iov_iter.c, lib/usercopy.c, mm/usercopy.c, mm/maccess.c, include/linux/uaccess.h
	`(?:raw_|arch_|inline_)?(?:copy|get|put|clear|probe)_(?:to|from|user|in_user|kernel)(?:_\w+)?`,
	`copy_(?:struct|iovec|mc|page_(?:to|from))\w*`, `(?:strn\w+|clear|fault_in)_(?:from_)?user\w*`,
	`check_(?:copy_size|object_size|heap_object|kernel_text_object|stack_object|page_span|zeroed_user|bogus_address)`,
	`(?:instrument|user_access|access_ok)\w*`, `read_word_at_a_time`, `copyin`, `copyout`, `iov_iter_\w+`,
	`(?:import|iovec_from|rw_copy|dup)_\w*iovec\w*`, `(?:memcpy|zero)_(?:to|from)_iter\w*`, `simple_copy\w*`,
	`simple_(?:read_from|write_to)_buffer`, `fault_in_\w+`, `csum_(?:partial|and_copy)\w*`, `v?memdup_user\w*`, `strndup_user`,
	`do_(?:csum|strncpy_from_user|strnlen_user)`,
	// bits and numbers: lib/find_bit.c, lib/bitmap.c, lib/cpumask.c, lib/sort.c, lib/crc*.c, lib/random32.c
	`(?:arch_|assign_|change_|constant_|variable_)?(?:set|clear|test|change|assign|test_and_\w+)_bit\w*`,
	`test_(?:and_)?(?:set|clear|change)_?bit\w*`, `find_(?:first|next|last|nth)_\w*bit\w*`,
	`(?:sbitmap|cpumask|nodes?mask|hweight|sw_hweight)_?\w*`,
	`bitmap_(?:and|or|xor|andnot|complement|equal|intersects|subset|weight|set|clear|shift|cut|parse|print|find|from|to|copy|fill|zero|alloc|zalloc|free|replace|remap|release|allocate|read|write|scatter|gather)\w*`,
	`sort(?:_r)?`, `(?:do_)?(?:swap|cmp)(?:_func|_words_\w+|_bytes)?`, `bsearch`, `list_sort`, `(?:lib)?crc\w+`,
	`(?:jhash|h?siphash|xxh|full_name_hash|hash_\d+|hashlen)\w*`, `(?:prandom|get_random)_\w+`, `(?:div|mul|u?div|u?mod)\w*64\w*`,
	`get_unaligned\w*`, `put_unaligned\w*`, `(?:read|write)_once\w*`, `uuid_\w+`, `jiffies_\w+`, `ratelimit\w*`, `packing`,
	// atomics and references: include/linux/atomic, lib/refcount.c, lib/kref.c, lib/percpu*.c, lib/lockref.c
	`(?:arch_|raw_|generic_|instrument_)*(?:atomic|refcount|rcuref|kref|xchg|cmpxchg|try_cmpxchg|lockref|percpu_(?:ref|count|add|sub)|this_cpu)\w*`,
	`percpu_(?:counter|ref)_\w+`, `(?:inc|dec|drop|set|clear)_nlink`, `kcsan_atomic\w*`, `errseq_\w+`, `fprop_\w+`,
	// lists and trees: lib/list_debug.c, rbtree.c, radix-tree.c, xarray.c, idr.c, maple_tree.c, klist.c, llist.c, plist.c, rhashtable.c
	`(?:list|hlist|h?list_bl|hlist_nulls|plist|llist|klist|list_lru|lru)_(?:add|del|move|splice|entry|bug|is|replace|insert|erase|first|next|prev|last|empty|put|remove|cut|rotate|swap|reverse|node|iter|init|walk|count|dec|release|isolate|to)\w*`,
	`INIT_LIST_HEAD`, `hlist_\w+`,
	`rb_(?:add|del|erase|first|last|next|prev|insert|replace|link|find|rotate|set|red|left|prepend|change)\w*`,
	`(?:rbt|latch_tree|augment_tree)_\w+`,
	`(?:xa|xas|xarray|radix_tree|idr|ida|idr_get|genradix|mas|mtree|interval_tree|rhashtable|rhltable|rht|kfifo|assoc_array|gen_pool|llist|klist)_\w+`,
	`vma_(?:interval_tree|iter)_\w+`, `(?:delete|update|create)_node`,
	// objects and devices: lib/kobject*.c, drivers/base, fs/sysfs, fs/kernfs
	`(?:kobject|kobj|kset|klist|uevent|sysfs|devres|devm|dpm|pm_runtime|rpm|pm_qos|dev_pm|device_pm|device_links?|fw_devlink|fwnode)_\w+`,
	`kernfs_(?:get|put)`, `add_uevent_var`, `(?:create|remove|populate)_(?:files|dir)`, `internal_create_group\w*`, `release_nodes`,
	`remove_nodes`, `get_device(?:_parent)?`, `put_device`, `cleanup_glue_dir`,
	`(?:root_)?device_(?:del|add|register|unregister|destroy|create\w*|release\w*|remove\w*|initialize|shutdown|attach\w*|initial_probe|driver_\w+|bind\w*|unbind\w*|wakeup\w*|set_\w+|platform\w*|offline|online|move|rename)`,
	`(?:bus|driver|class)_(?:add|remove|probe|register|unregister|for_each|rescan|attach|detach|create\w*|destroy|find|notify|dev|sysfs|interface|release|bound|deferred)\w*`,
	`really_probe\w*`, `call_driver_probe`, `platform_(?:device|drv|driver|probe|remove|match|get)\w*`, `find_dr`,
	`(?:add|alloc|replace)_dr`, `(?:net)?dev_(?:err|warn|info|notice|crit|alert|emerg)`,
	`dev_(?:set_name|printk\w*|vprintk\w*|err_probe|uevent\w*|driver_string|set_drvdata|get_drvdata)`,
	`component_(?:add|del|bind|unbind|master)\w*`, `attribute_container_\w+`,
	// locks: kernel/locking, include/linux/spinlock.h, seqlock.h, local_lock.h
	`(?:do_|queued_|native_|pv_|paravirt_|arch_|raw_|rt_|debug_|ww_|percpu_|rcu_|local_|class_)*(?:spin|read|write|rwlock|mutex|rt_mutex|rtmutex|rtlock|down|up|seqlock|seqcount|rwsem|rwbase|rwb|qspin|qread|qwrite|semaphore|bh|bit_spin|ww_mutex|queued)_(?:(?:\w*_)?(?:un|try|un_?try|slow|fast|is_)?lock\w*|seq\w*|read\w*|write\w*|timeout\w*|killable\w*|interruptible\w*|non_owner\w*|nested\w*|spin\w*|down\w*|up\w*|wake\w*|optimistic\w*|bug\w*|dump\w*|common\w*|slowpath\w*|failed\w*|acquire\w*|release\w*|destroy|add_waiter|wait\w*|mark\w*|del\w*|retry|begin|end|init\w*|is_\w+|try\w*)`,
	`down`, `up`, `call_rwsem\w*`, `(?:osq|mcs|spin)_\w+`, `(?:rw)?lock_bug`, `(?:rt_mutex|mutex|rwsem|percpu_rwsem)_\w+`,
	`task_blocks_on\w*`, `(?:try|remove|fixup|mark)_\w*rt_mutex\w*`, `(?:lock|release)_sock(?:_nested|_fast)?`,
	`lock_(?:timer|hrtimer)_base`, `(?:task_rq|rq)_(?:un)?lock\w*`, `class_\w+_(?:con|de)structor`,
	`(?:local|atomic)_(?:bh|irq|dec_and|lock|unlock|long|read|set)\w*`, `dec_and_lock\w*`, `local_bh_\w+`, `tcf_\w+_lock`,
	`device_(?:un)?lock`, `jump_label_\w+`, `static_key_\w+`, `(?:arch_)?static_branch\w*`, `lock_page\w*`,
	`folio_(?:unlock|lock|mark|wait|end)\w*`, `(?:end_page|wait_on_page)_\w+`,
	// RCU: kernel/rcu
	`(?:rcu|srcu|rcutree|rcuref)_\w+`, `call_(?:rcu|srcu)\w*`, `kfree_rcu\w*`, `kvfree_call_rcu`,
	`(?:cond_)?synchronize_(?:sched|rcu_mult|srcu)\w*`, `wait_rcu_gp\w*`, `exp_funnel_lock`, `(?:start|poll)_\w*synchronize_\w+`,
	`note_gp_changes`, `force_qs_rnp`, `invoke_rcu_\w+`, `rcu_gp_kthread\w*`, `get_state_synchronize\w*`,
	// scheduling and waiting: kernel/sched, kernel/time/sleep_timeout.c
	`(?:io_|preempt_|freezable_|schedule_)*schedule\w*`, `context_switch`, `switch_to\w*`, `finish_(?:task_switch|lock_switch)`,
	`(?:do_)?wait_(?:for_(?:completion|common)|on_(?:bit|page|folio|buffer|atomic|var)|event|woken)\w*`,
	`do_wait_(?:event|intr)\w*`, `out_of_line_wait\w*`, `bit_wait\w*`,
	`(?:init|finish|prepare|prepare_to|abort_exclusive)_(?:to_)?s?wait\w*`, `(?:auto)?remove_wake_function`,
	`(?:default|autoremove|woken|pollwake|bit)_?wake\w*`,
	`s?wake_up(?:_(?:bit|q|var|process|state|poll|common|locked|sync|klogd|idle|if|nohz|all|one|interruptible|page)\w*)?`,
	`wake_(?:q|bit)\w*`, `(?:try_to_wake_up|ttwu)\w*`, `complete(?:_all|_with_flags)?`, `(?:preempt|cond)_\w*resched\w*`,
	`preempt_(?:schedule|enable|disable)\w*`, `msleep\w*`, `usleep\w*`, `ssleep`, `fsleep`, `(?:do_|hrtimer_)nanosleep`,
	`swake_\w+`, `down_(?:timeout|trylock\w*|common)`,
	// timers and clocks: kernel/time
	`(?:del|mod|add|try_to_del|init|detach|enqueue|internal_add|collect|expire|forward|migrate)_\w*(?:timer|timers|hrtimer)\w*`,
	`(?:timer|timers|hrtimer|hrtimers|clockevents)_\w+`,
	`tick_(?:sched|nohz|periodic|program|do|broadcast|check|handle|irq|oneshot|init|setup|get|is)(?:_\w+)?`,
	`(?:detach_if_pending|get_timer_\w+|do_init_timer|call_timer_fn|run_timer\w*|run_timers|run_hrtimer|run_local_timers|remove_hrtimer|update_process_times|legacy_timer_tick|account_\w+)`,
	`ktime_\w+`, `read_hpet`, `rdtsc\w*`,
	`(?:kvm_clock|kvm_sched_clock|pvclock|sched_clock|local_clock|arch_counter|arch_timer)\w*`, `(?:const_)?[mun]delay\w*`,
	`delay_\w+`, `delay`, `(?:round|msecs_to|usecs_to|nsecs_to)_?jiffies\w*`,
	// work queues and kernel threads: kernel/workqueue.c, kthread.c, task_work.c
	`(?:flush|cancel|queue|mod|insert|drain|enable|disable|destroy|assign|start_flush)_\w*work\w*`, `flush_\w*workqueue\w*`,
	`(?:queue|mod)_\w*work_on`, `try_to_grab_pending`,
	`(?:process_one_work|process_scheduled_works|worker_thread|rescuer_thread|bh_worker|delayed_work_timer_fn|kthread|kthread_worker_fn|smpboot_thread_fn|task_work_run|get_work_pool|pwq_\w+|put_pwq|wq_\w+|work_\w+pending\w*|init_work)`,
	`kthread_\w+`, `task_work_\w+`, `grab_pending`,
	// interrupts: kernel/softirq.c, kernel/irq, kernel/smp.c, kernel/stop_machine.c, arch
	`(?:smp_|sysvec_|asm_)*(?:apic_timer_interrupt|reboot_interrupt|call_function|reschedule|irq_work|error_interrupt)\w*`,
	`irq_\w+`, `do_IRQ`, `(?:do_|handle_|call_|invoke_|raise_|run_k)?softirqs?\w*`, `tasklet_\w+`, `(?:local|smp)_\w*apic\w*`,
	`(?:generic_)?handle_(?:irq|level|edge|fasteoi|percpu|domain|simple|arch_irq)\w*`, `gic_\w+`, `exiting_irq`,
	`do_interrupt_handler`, `(?:smp_call|on_each_cpu|generic_smp_call|generic_exec|flush_smp_call|csd|smp_cfm)_?\w*`,
	`(?:stop_machine|stop_cpus|stop_one_cpu|multi_cpu_stop|cpu_stop\w*)\w*`,
	`(?:retint|restore|save)_(?:kernel|user|all|fl|regs|fpregs)\w*`,
	`(?:native|arch|pv|xen)_(?:safe_halt|halt|send\w*|save_fl|restore_fl|irq\w*|local\w*|read\w*|write_msr\w*|write_cr\w*|kick\w*|wait\w*|queued\w*|cpuid|set_\w+|flush\w*)`,
	`kvm_(?:kick_cpu|guest_apic\w*)`, `hypercall_page`, `cpu_relax`, `rep_nop`, `warn_bogus\w*`, `cpu_(?:startup_entry|idle\w*)`,
	`x2apic_\w+`, `kernel_fpu\w*`, `flush_tlb\w*`, `plist_\w+`, `text_poke\w*`,
	// allocation: mm/slub.c, slab_common.c, page_alloc.c, vmalloc.c, percpu.c, mempool.c, kmemleak.c, util.c
	`(?:do_|trace_|post_|pre_)?(?:kmalloc|kzalloc|kcalloc|kvmalloc|kvzalloc|kvcalloc|kmemdup|kvmemdup|kstrdup|kstrndup|kmem|slab|slub|vmalloc|vzalloc|vfree|kfree|kvfree|kzfree|kvfree_sensitive|krealloc|kvrealloc|mempool|kmemleak|ksize|vcalloc|memalloc|alloc_tag)\w*`,
	`(?:alloc|free|get_free|get_zeroed|put|get|new|allocate|discard|prep|rmqueue|bulk|deactivate_locked)_(?:frozen_|new_|contig_|compound_|unref_|hot_cold_|large_|the_)*(?:slab|pages?|folio|kmem|percpu|kmalloc|partial|object|objects|track|freelist|node_alloc|bulk|to_partial\w*)\w*`,
	`free_to_\w+`, `cache_(?:alloc|free|grow|flush|reap|init)\w*`, `fallback_alloc`,
	`(?:init|set|check|alloc_debug|free_debug|slab_pad|setup)_(?:object|tracking|freepointer|processing|bytes|slab)\w*`,
	`object_err`, `(?:create|delete|find_and_remove|put)_object\w*`, `vm(?:alloc|_area|ap|unmap|_map|_unmap)_\w*`,
	`(?:vm)?(?:v(?:un)?map|vmap|iounmap|ioremap)\w*`, `remove_vm_area`,
	`(?:alloc|free|find|insert|get|merge|unlink|purge)_(?:unmap_)?v(?:map|m)_(?:area|block)\w*`, `free_\w*vmap_area\w*`,
	`get_vm_area\w*`, `(?:pcpu|percpu)_\w+`, `(?:alloc|free)_percpu\w*`, `bad_page\w*`, `free_pcp_\w+`,
	`check_(?:new|free)_pages?\w*`, `release_pages`, `page_ref_\w+`, `compound_head`,
	`(?:virt_to_|phys_addr|virt_addr_valid|kmap|kunmap)\w*`, `unlock_page`, `get_page_from_freelist`, `rmqueue\w*`,
	`free_unref_\w+`, `free_pcppages\w*`, `(?:prep|post)_(?:new|alloc)_\w+`, `page_(?:frag|pool)_\w+`,
	`truncate_(?:inode_pages|pagecache|cleanup)\w*`, `put_page\w*`, `folio_(?:alloc|put|get)\w*`, `kasan_\w+`, `dma_pool_\w+`,
	`(?:vma|filemap|folio)_alloc\w*`, `page_counter_\w+`,
	`(?:charge|uncharge|obj|mod|consume|refill|drain)_\w*(?:memcg|objcg|obj_stock|stock)\w*`, `(?:sk_prot|sk|sock_inode)_alloc`,
	`sk_clone\w*`, `htab_map_alloc`, `alloc_workqueue\w*`,
	// input and output: arch/*/include/asm/io.h, lib/iomap.c, lib/logic_pio.c
	`(?:raw_|logic_|pio_|mmio_|generic_)*(?:(?:read|write)[bwlq](?:_relaxed|be)?|(?:in|out)s?[bwl]|io(?:read|write)(?:8|16|32|64)\w*|ins[bwl]|outs[bwl])`,
	`iowrite\d+\w*`, `ioread\d+\w*`, `logic_\w+`, `memcpy_(?:to|from)io`,
	// packets: net/core/skbuff.c
	`skb_(?:panic|over_panic|under_panic|push|put|pull|put_data|copy_\w*iter\w*)\w*`, `kfree_skb\w*`,
	`k?free_skb(?:mem|_reason|_partial)\w*`, `kmalloc_reserve`,
	`nla_(?:put|reserve|parse|validate|mem|str|append|find|get|policy)\w*`, `validate_nla\w*`,
	// entry points: arch/*/entry, init/main.c
	`ret_(?:from|fast|to|slow)_\w+`, `entry_(?:SYS|INT|int)\w+`, `do_(?:syscall|fast_syscall|int80)\w*`,
	`sys(?:call|enter|exit)_\w+`, `x64_sys_call`, `ia32_sys_call`, `invoke_syscall\w*`, `system_call\w*`, `start_kernel`,
	`secondary_startup\w*`, `(?:x86_64_)?start_(?:secondary|reservations)\w*`, `x86_64_start\w*`, `stub_\w+`, `tracesys\w*`,
	`int_ret_from_sys\w*`,
	// other helpers of every part of the kernel
	`usb_(?:kill|submit|free|unlink|poison|start_wait)_(?:anchored_)?urbs?\w*`,
	`usb_(?:internal_control|control|bulk|interrupt)_msg\w*`, `rollback_registered\w*`, `unregister_netdevice_(?:many|queue)\w*`,
	`netdev_next_lower\w*`, `mark_buffer_dirty`, `d?put`, `iput`, `fast_dput`, `kill_fasync\w*`, `find_lock_entries`,
	`do_read_cache\w*`, `filemap_(?:fdatawait|get|read_folio)\w*`, `fsnotify_parent`, `perf_(?:trace|tp)_\w+`, `tp_perf_event\w*`,
	`trace_(?:event|raw|buffer|call_bpf)\w*`, `bpf_trace_run\w*`, `free_object`, `regmap_\w+`, `notifier_call_chain\w*`,
	`(?:raw|blocking|atomic|srcu)_notifier_\w+`, `debug_dma_\w+`, `add_dma_entry`, `err_printk`, `path_put`, `ihold`,
)

// table returns a pattern of whole names. Underscores may precede each of them.
func table(names ...string) *regexp.Regexp {
	return regexp.MustCompile(`^_*(?:` + strings.Join(names, "|") + `)$`)
}

// waits matches the functions that only wait, in the report of a task that hangs.
var waits = table(`\w*fdatawait\w*`, `filemap_(?:write_and_wait|fdatawrite)\w*`, `console_lock\w*`, `synchronize_net`, `rcu_barrier\w*`)

// allocators matches the functions that allocate an object of a subsystem, in the report of a leak.
var allocators = table(`\w*alloc_skb\w*`, `build_skb\w*`, `skb_(?:clone|copy)\w*`)

// callers matches the functions that call the handler of an event: of a system call, a timer, a
// packet, a message, a work item.
var callers = table(
	`call_timer_fn`, `process_one_work`, `task_work_run`, `tasklet_action\w*`, `(?:handle_)?softirqs?`, `napi_poll`, // kernel, net/core
	`handle_irq_event_percpu`, `hrtimer_run_queues`, `run_hrtimer`, `netif_receive_skb\w*core`, `rtnetlink_rcv_msg`,
	`nfnetlink_rcv_msg`, `genl_family_rcv_msg_doit`, // net
	`do_(?:syscall|fast_syscall|int80)\w*`, `entry_(?:SYS|INT|int)\w+`, `sysenter_\w+`, `system_call\w*`, `el0_svc\w*`,
	`invoke_syscall`, `ret_fast_syscall`, // arch
	`(?:do_)?vfs_(?:read|write|readv|writev|ioctl)`, `new_sync_(?:read|write)`, `call_(?:read|write)_iter`, `do_iter_\w+`,
	`sock_sendmsg(?:_nosec)?`, `sock_do_ioctl`, // fs, net/socket.c
)

// entry matches the functions at which a stalled processor or task has entered a part of the
// kernel. The innermost functions of a loop differ from one stall to the next; this one stays.
var entry = regexp.MustCompile(`^(?:(?:compat_)?sys_\w+|\w+_(?:ioctl|sendmsg|read_iter|write_iter|setsockopt|getsockopt))$`)

// dispatch matches the functions that are like an entry, and that every call of its kind has.
var dispatch = table(
	`do_vfs_ioctl`, `vfs_\w+`, `ksys_\w+`, `new_sync_\w+`, `call_\w+_iter`, `do_iter_\w+`, `generic_\w+`,
	`\w+_(?:buffered|dio|direct)_(?:read|write)_iter`, // fs
	`genl_rcv`, `nfnetlink_rcv`, `sock_(?:sendmsg|recvmsg|write_iter|read_iter|ioctl|mmap)\w*`, `do_sock_\w+`, `process_backlog`,
	`netif_receive_skb\w*`, `net_rx_action`, // net
	`_+sys_\w+`, `\w*exit_to_user\w*`, `tasklet_action\w*`, `run_timer_\w+`, `\w+_arch_\w*ioctl`,
	`(?:security|selinux|smack|apparmor|tomoyo)_\w+`,
)
