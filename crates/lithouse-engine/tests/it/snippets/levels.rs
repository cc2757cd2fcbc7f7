// SPDX-License-Identifier: Apache-2.0
//! Which claim is held at which level of the sandbox. What depends on confinement is tried at each level that promises it, and what
//! is the same everywhere at one. The tests of a level stand beside each other, since those that run at the same time share a service.

/// Makes a test of each claim, a function of the module of that name that takes a [`Lab`](super::lab::Lab).
macro_rules! at {
    ($level:ident, $($module:ident: $($claim:ident),+;)+) => {
        $(mod $module {
            $(#[test]
            fn $claim() {
                if let Some(lab) = crate::snippets::lab::shared(lithouse_engine::snippets::Level::$level) {
                    crate::snippets::$module::$claim(&lab);
                }
            })+
        })+
    };
}

mod full {
    at! { Full,
        endings:
            code_that_takes_too_long_is_stopped_where_it_is,
            code_that_does_not_want_to_be_stopped_is_ended,
            too_much_memory_is_told_whatever_it_is_taken_with,
            too_much_output_ends_the_run,
            a_crash_is_told_by_its_signal,
            a_run_can_stop_itself_but_not_the_clock,
            the_beginning_of_long_output_is_kept,
            half_characters_are_replaced,
            an_exit_without_a_result_is_a_crash_and_a_polite_one_is_not,
            what_cannot_be_taken_is_refused_before_it_is_run,
            a_run_that_closes_its_channel_goes_on;
        escapes:
            files_of_the_machine_cannot_be_read,
            there_is_no_network,
            secrets_of_the_server_are_nowhere,
            nobody_else_can_be_reached,
            no_other_program_can_be_run,
            descriptors_of_others_are_not_there,
            the_environment_cannot_be_changed,
            daemons_end_with_their_run,
            a_fork_bomb_ends_with_its_run;
        files:
            links_pipes_and_holes_are_not_collected,
            names_of_every_kind_do_no_harm,
            nothing_of_a_run_is_there_for_the_next,
            the_disk_of_a_run_is_bounded,
            a_huge_figure_is_bounded;
        lies:
            a_result_that_is_none_is_a_crash_and_harms_nobody,
            a_false_result_ends_the_run_and_says_what_it_says,
            an_endless_frame_is_ended,
            a_picture_that_is_a_bomb_is_not_passed_on,
            a_table_with_a_script_is_not_passed_on,
            charts_without_end_are_bounded_in_bytes,
            a_flood_of_charts_is_bounded;
        results:
            what_is_printed_is_answered,
            charts_of_both_libraries_are_answered,
            frames_and_variables_are_answered,
            an_exception_is_an_error_with_its_line,
            code_that_is_no_python_is_told_by_python,
            refused_code_is_not_run,
            a_last_value_is_shown_as_in_a_notebook,
            files_and_standard_input_reach_the_code,
            every_run_draws_its_own_random_numbers,
            numbers_arrive_exactly,
            warnings_and_threads_and_the_everyday_standard_library_work;
        streams:
            output_comes_as_it_is_written,
            charts_come_as_they_are_shown,
            the_pieces_are_the_whole_even_where_the_end_is_cut,
            a_listener_that_is_slow_or_gone_holds_up_no_clock,
            a_run_whose_asker_has_gone_is_ended;
        templates:
            every_template_runs_and_shows_something;
    }
}

mod standard {
    at! { Standard,
        endings:
            code_that_takes_too_long_is_stopped_where_it_is,
            code_that_does_not_want_to_be_stopped_is_ended,
            too_much_memory_is_told_whatever_it_is_taken_with,
            too_much_output_ends_the_run,
            a_crash_is_told_by_its_signal;
        escapes:
            files_of_the_machine_cannot_be_read,
            there_is_no_network,
            secrets_of_the_server_are_nowhere,
            nobody_else_can_be_reached,
            no_other_program_can_be_run,
            descriptors_of_others_are_not_there,
            the_environment_cannot_be_changed,
            no_process_can_be_started;
        files:
            nothing_of_a_run_is_there_for_the_next,
            the_disk_of_a_run_is_bounded,
            a_huge_figure_is_bounded;
        lies:
            a_frame_that_takes_long_to_read_holds_up_no_clock;
        results:
            what_is_printed_is_answered,
            charts_of_both_libraries_are_answered,
            frames_and_variables_are_answered;
    }
}

mod basic {
    at! { Basic,
        endings:
            code_that_takes_too_long_is_stopped_where_it_is,
            code_that_does_not_want_to_be_stopped_is_ended,
            too_much_memory_is_told_whatever_it_is_taken_with,
            too_much_output_ends_the_run,
            a_crash_is_told_by_its_signal;
        escapes:
            files_of_the_machine_cannot_be_read,
            there_is_no_network,
            secrets_of_the_server_are_nowhere,
            nobody_else_can_be_reached,
            no_other_program_can_be_run,
            descriptors_of_others_are_not_there,
            the_environment_cannot_be_changed,
            no_process_can_be_started;
        files:
            links_pipes_and_holes_are_not_collected,
            names_of_every_kind_do_no_harm,
            nothing_of_a_run_is_there_for_the_next;
        results:
            what_is_printed_is_answered,
            charts_of_both_libraries_are_answered,
            frames_and_variables_are_answered;
    }
}

mod none {
    at! { None,
        endings:
            code_that_takes_too_long_is_stopped_where_it_is,
            code_that_does_not_want_to_be_stopped_is_ended,
            too_much_memory_is_told_whatever_it_is_taken_with,
            too_much_output_ends_the_run,
            a_crash_is_told_by_its_signal;
        results:
            what_is_printed_is_answered,
            charts_of_both_libraries_are_answered,
            frames_and_variables_are_answered;
    }
}
