/* What the kernel and the gate owe each other for each descriptor number of an event. Both the model (gate.pml) and the
   traces of the real daemon (replay.py) are held to exactly these. */

#ifndef NUMBERS
#define NUMBERS 2
#endif

#define FREE 0     /* the kernel may give this number to the next event */
#define ASKED 1    /* an opener waits for an answer to it */
#define ANSWERED 2 /* or nothing was asked: a descriptor like any other */

byte number_is[NUMBERS];
bool group_is_closed;

/* The gate has read an event that is a question, or one that is not. */
#define RULE_READ_QUESTION(number) assert(!group_is_closed && number_is[number] == FREE); number_is[number] = ASKED
#define RULE_READ_NOTICE(number) assert(!group_is_closed && number_is[number] == FREE); number_is[number] = ANSWERED
/* No answer to what was not read, none after the first, none once the number is free or somebody else's. */
#define RULE_ANSWER(number) assert(number_is[number] == ASKED); number_is[number] = ANSWERED
/* Nobody who still waits loses the number by which alone he can be answered. */
#define RULE_CLOSE(number) assert(number_is[number] == ANSWERED); number_is[number] = FREE
