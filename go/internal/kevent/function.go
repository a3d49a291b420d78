package kevent

import "regexp"

// reporting matches the functions that make a report, and those that a report is never
// about: they are between the defect and its report.
var reporting = regexp.MustCompile(`^(?:` +
	// printing and unwinding
	`_*dump_stack\w*|show_(?:stack|regs|trace)\w*|_?printk\w*|vprintk\w*|print_\w+|save_stack\w*|arch_stack_walk|stack_trace_save\w*|dump_(?:backtrace|page|header)\w*|__dump_\w+|` +
	// panics, traps, warnings
	`panic|vpanic|_*warn\w*|report_bug\w*|fixup_bug\w*|handle_bug|do_(?:error_trap|invalid_op|trap|general_protection|page_fault|undefinstr|mem_abort|translation_fault|DataAbort|divide_error|int3|nmi)\w*|__do_(?:page_fault|kernel_fault|user_fault)|invalid_op|(?:asm_)?(?:exc|sysvec)_\w+|idtentry\w*|async_page_fault|page_fault\w*|error_entry|die\w*|__die\w*|oops_\w+|no_context|bad_area\w*|__bad_area\w*|(?:kernelmode|user)_fault\w*|general_protection|divide_error|spurious_\w+|fault_in_kernel\w*|el1\w*|el0\w*|vectors|call_on_irq_stack|bug_handler|brk_handler|arm64_\w*fault\w*|__und_\w+|__dabt_\w+|` +
	// sanitizers
	`_*kasan_\w+|_*asan_\w+|__hwasan_\w+|check_memory_region\w*|check_region_inline|memory_is_\w+|end_report\w*|bytes_is_\w+|bytes_are\w*|describe_\w+|complete_report\w*|start_report|report_\w*(?:race|error)\w*|kmsan_\w+|_*msan_\w+|__tsan_\w+|kcsan_\w+|kfence_\w+|__kfence_\w+|ubsan_\w+|_*ubsan_\w+|handle_overflow|handle_object_size\w*|val_to_string|` +
	// copies and strings
	`_*(?:mem(?:cpy|set|move|cmp|chr|scan)|str\w{2,8}|copy_(?:to|from)_\w+|_copy_\w+|__copy_\w+|instrument_\w+|check_(?:copy_size|object_size|heap_object|kernel_text_object|stack_object|zeroed_user)|__check_object_size|usercopy_\w+|bcmp|memchr_inv|fortify_panic|read_word_at_a_time|copyin|copyout|copy_user\w+|clear_user\w*|csum_partial\w*|iov_iter_\w+|copy_page_(?:to|from)_iter\w*|user_access_\w+|skb_copy_\w+_iter\w*)(?:_erms|_orig|_user|_generic\w*)?|` +
	// atomics, bits and references
	`_*(?:arch_)?(?:raw_)?(?:atomic\w*|test_(?:and_)?(?:set|clear|change)?_?bit\w*|set_bit|clear_bit|test_bit|refcount_\w+|kref_\w+|kcov\w+|_*sanitizer_cov\w+|xchg\w*|cmpxchg\w*)|` +
	// locks, lockdep, RCU
	`_*(?:raw_)?(?:do_)?(?:raw_)?(?:spin|read|write|rwlock|mutex|rt_mutex|down|up|seqlock|seqcount|ww_mutex|percpu_down|percpu_up|queued|native_queued|pv_queued|rwsem|queue)_(?:\w*lock\w*|read\w*|write\w*|trylock\w*|timeout\w*|killable\w*|interruptible\w*|spin\w*|down\w*|up\w*|wake\w*|optimistic\w*|bug\w*|dump\w*|common\w*|slowpath\w*)|down|up|_*lock(?:dep)?_(?:acquire|release|set|init|reinit|is_|rcu_|reset|unlock|stats|downgrade|map|hardirqs|softirqs|free|sys)\w*|_*lock_acquire\w*|lock_is_held\w*|_*check_(?:prev|prevs|deadlock|wait|noncircular|usage|chain|irq|irqs|flags|unmap|preemption|lock)\w*|validate_chain|mark_(?:lock|held|usage)\w*|register_lock_class|assign_lock_key|add_lock_to_list|alloc_list_entry|static_obj|lookup_chain\w*|debug_(?:print_object|object\w*|check_no_\w*|smp_processor_id|locks_off)\w*|_*debug_\w*object\w*|lock_sock_nested|lockdep_\w+|trace_hardirqs_\w+|trace_(?:lock|contention)\w*|rcu_(?:read_\w+|lock_\w+|lockdep\w*|is_watching|check_callbacks|dump_cpu_stacks|sched_clock_irq|dynticks\w*|nmi_\w+|irq_\w+|note_\w+|preempt_\w+|gp_\w+|pending|user_\w+|eqs_\w+|core_si)|_*rcu_(?:pending|read_\w+|preempt_\w+)|rcu_gp_kthread\w*|print_(?:other_)?cpu_stall|check_cpu_stall|___?might_(?:sleep|resched)|__might_\w+|might_\w+|__schedule_bug|schedule_debug|preempt_count_\w+|spin_(?:bug|dump|lock|unlock)\w*|rwlock_bug|local_(?:bh|irq|lock)_\w+|__local_bh_\w+|_*local_bh_\w+|` +
	// sleeping
	`_*schedule\w*|__?context_switch|io_schedule\w*|_*wait_(?:for_\w+|on_\w+|event\w*|woken)|do_wait_\w+|out_of_line_wait\w*|bit_wait\w*|_*synchronize_\w+|rcu_barrier\w*|_*wait_rcu_gp|exp_funnel_lock|__?flush_(?:work|workqueue|delayed_work)\w*|flush_\w*work\w*|__cancel_work\w*|cancel_\w*work\w*|msleep\w*|usleep\w*|preempt_schedule\w*|___preempt_schedule\w*|` +
	// interrupts and timers
	`_*(?:smp_|sysvec_|asm_)?(?:apic_timer_interrupt|reboot_interrupt|call_function\w*|reschedule\w*)|nmi\w*|default_do_nmi|arch_trigger_\w+|trigger_\w+cpu\w*|trigger_all\w*|end_repeat_nmi|irq_(?:enter|exit|work)\w*|_*irq_\w+|do_IRQ|_*do_softirq\w*|invoke_softirq|call_softirq|run_ksoftirqd|hrtimer_(?:interrupt|run)\w*|_*hrtimer_run_queues|_*run_hrtimer|tick_\w+|update_process_times|local_apic_\w+|handle_irq\w*|gic_\w+|generic_handle_\w+|_*handle_domain_irq|common_interrupt|ret_from_\w+|run_timer_\w+|_*run_timers|call_timer_fn|expire_timers|watchdog_\w+|rcu_watching\w*|arch_timer_\w+|handle_percpu\w*|generic_smp_call\w*|_*flush_smp_call\w*|csd_(?:lock|do)\w*|smp_call_function\w*|on_each_cpu\w*|` +
	// allocation
	`_*(?:kmalloc|kzalloc|kcalloc|kvmalloc|kmemdup|kstrdup|kstrndup|kmem_cache|slab|slub|vmalloc|vzalloc|kfree|kvfree|free_to_\w+|alloc_pages|get_free_pages|get_zeroed|free_pages|free_page|put_page|get_page|cache_\w+|kmalloc_\w+|kmemleak|do_kmalloc\w*|vm_area_free|__vmalloc\w*|memdup\w*|krealloc|alloc_slab\w*|alloc_debug\w*|free_debug\w*|object_err|new_slab\w*|allocate_slab|init_object|mempool_\w+|percpu\w*alloc\w*|pcpu_alloc|sk_prot_alloc|alloc_percpu\w*)\w*|` +
	// lists
	`_*(?:list|hlist|h?list_bl|plist|rb|rcuhead)_(?:add|del|move|splice|entry|bug|is|replace|insert|erase|first|next)\w*|_*hlist_\w+|__list_\w+|` +
	// entry points
	`ret_from_fork\w*|kthread|worker_thread|entry_\w+|do_syscall\w*|do_fast_syscall\w*|syscall_\w+|x64_sys_call|invoke_syscall\w*|system_call\w*|start_kernel|secondary_startup\w*|x86_64_start\w*|process_one_work|process_scheduled_works|do_int80\w*|__do_fast\w*|stub_\w+|` +
	`flush_tlb\w*|native_flush\w*|native_(?:safe_halt|halt|send\w*|save_fl|restore_fl|irq\w*|read\w*|write_msr)|arch_local_\w+|should_fail\w*|fail_dump|pv_\w+|kvm_wait|hypercall_page|delay_\w+|_*delay|_*const_udelay|_*udelay|_*ndelay|cpu_relax|rep_nop|fault_create\w*|ktime_\w+|read_hpet|rdtsc\w*|kvm_clock\w*|pvclock\w*|seq_read\w*printf|rcu_\w+stall\w*|unwind_\w+|orc_\w*|_*unwind_\w+|update_stack_state|deref_stack\w*|get_stack_info|in_\w*stack|kernel_text_address|__kernel_text_address|is_bpf_text_address|is_module_text_address|_*__sanitizer\w*|write_comp_data|__fentry__|ftrace_\w+|mcount|_*fsnotify_parent|corrupted` +
	`)$`)

// entry matches the functions at which a stalled processor or task has entered a part of the
// kernel. The innermost functions of a loop differ from one stall to the next; this one stays.
var entry = regexp.MustCompile(`^(?:` +
	`_*(?:do_|x64_|ia32_|arm64_|se_|compat_|k)*_*(?:sys|SyS|SYSC|compat_sys)_\w+|ksys_\w+|\w+_(?:ioctl|sendmsg|recvmsg|sendto|recvfrom|read_iter|write_iter|poll|mmap|release|fault|setsockopt|getsockopt|connect|bind|accept|splice_\w+|work\w*|timer\w*|handler|rcv|open|mount|umount|fsync|write|read|evict|kill_sb|show|store|thread|kthread)` +
	`)$`)

// about matches the frames below which an entry is meant: those that every system call has.
var dispatch = regexp.MustCompile(`^(?:do_vfs_ioctl|vfs_\w+|sock_(?:sendmsg|recvmsg|write_iter|read_iter|ioctl)\w*|_*sys_\w+msg|___sys_\w+|do_iter_\w+|new_sync_\w+|call_(?:read|write)_iter|ksys_\w+)$`)
