/* SPDX-License-Identifier: MIT */
/*
 * Messages of the programs that serve: how urgent one is, and in which form standard error wants
 * it. tl_warn, tl_die and tl_bug of tagline.h are messages too, of the levels warning, error,
 * critical.
 */
#ifndef MSG_H
#define MSG_H

#include <stddef.h>

/* The numbers are those of syslog(3), which a prefix "<N>" tells the journal. */
enum msg_level { MSG_CRITICAL = 2, MSG_ERROR = 3, MSG_WARNING = 4, MSG_INFO = 6 };

enum msg_form {
    MSG_PLAIN,   /* "program: text" */
    MSG_JOURNAL, /* "<4>program: text" */
};

/* One line, as tl_warn makes it. */
void msg_at(enum msg_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Whole lines that say themselves what they speak of ("FILE:LINE: why"), without the program. */
void msg_lines(enum msg_level level, const char *lines, size_t n);

void msg_set_form(enum msg_form form);

/* "plain" or "journal"; -1 if it is neither. */
int msg_form_named(const char *name);

/* The form that TAGLINE_LOG asks for; without it the journal's, if JOURNAL_STREAM says that
 * standard error is its stream. The variable is taken out of the environment: it is meant for us,
 * and what a child writes may go elsewhere. */
void msg_take_form(void);

/* Tell a child that is to write where we do: to be called in it, before it becomes a program. */
void msg_pass_form(void);

#endif
