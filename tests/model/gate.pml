/* The protocol between the kernel, the gate and its engine: libs/gate and daemon/gate/gate_loop, without what files
   hold. Openers 0 and 1 open the same file, the others one each, so that joining one scan is part of it; there are
   fewer descriptor numbers than openers, so that numbers are reused and run out.

   Any worker may crash or hang at any step, the gate may crash, be stopped or be killed at any step. Checked are the
   assertions (rules.pml and below; Judge: nobody is left waiting) and `every_open_ends`.
   BUG_… put in a fault that must be found: check.sh. */

#ifndef OPENERS
#define OPENERS 2
#endif
#ifndef WORKERS
#define WORKERS 2
#endif
#define NUMBERS 2
#define DEADLINE 2 /* in turns of the loop */
#define TRIES 2    /* a file that has cost so many workers is not tried again */
#define NONE 255

#include "rules.pml"

#define FILE_OF(opener) (opener < 2 -> 0 : opener - 1)
#define FILES (OPENERS > 1 -> OPENERS - 1 : 1)
#define MAX_FILES 3

/* --- the kernel's side */

mtype = { not_yet, waits, done }
mtype opener_is[OPENERS] = not_yet;
byte asked_by[NUMBERS] = NONE; /* whose question a number is */
chan queue = [OPENERS] of { byte };
bool gate_lives = true, gate_stopped, gate_beats;
byte group_holders = 1;

inline drop_group() {
    group_holders--;
    if
    :: group_holders == 0 -> /* the kernel lets everybody go */
        group_is_closed = true;
        i = 0;
        do
        :: i < OPENERS -> if :: opener_is[i] == waits -> opener_is[i] = done :: else fi; i++
        :: else -> break
        od
    :: else
    fi
}

proctype Opener(byte me) {
    atomic {
        if
        :: group_is_closed -> opener_is[me] = done
        :: else -> opener_is[me] = waits; queue!me
        fi
    }
    opener_is[me] == done
}

/* --- the engine */

mtype = { reply, lost }
chan to_gate = [WORKERS + 1] of { mtype, byte, byte }; /* what, worker, the worker's generation */
byte judges[WORKERS] = NONE;                            /* the file a worker has been sent; the gate's view */
byte generation[WORKERS];                               /* a worker that was replaced is another one */
chan to_worker[WORKERS] = [1] of { byte };

active [WORKERS] proctype Worker() {
    byte mine;
end:
    do
    :: to_worker[_pid]?mine ->
        if
        :: to_gate!reply(_pid, mine)
        :: to_gate!lost(_pid, mine) /* it crashed; the zygote puts another in its place */
        :: skip                     /* it hangs: only the gate's kill ends it */
        fi
    od
}

/* --- the gate */

byte waits_for[NUMBERS] = NONE; /* the file whose verdict a held open waits for */
byte holds[NUMBERS] = NONE;     /* whose open the gate believes the number to be */
byte age[NUMBERS];
byte kept[MAX_FILES] = NONE; /* the number of a scan's descriptor, once its opener was answered */
byte tries[MAX_FILES];
mtype = { idle, queued, running }
mtype scan_is[MAX_FILES] = idle;

inline answer(number) {
    atomic {
        RULE_ANSWER(number);
        assert(asked_by[number] == holds[number]); /* the answer is for him who is meant */
        opener_is[asked_by[number]] = done;
        asked_by[number] = NONE
    }
}
inline close_number(number) {
    atomic {
        RULE_CLOSE(number);
        holds[number] = NONE
    }
}

/* The answer comes first, then the number may be given to somebody else. */
inline answer_and_close(number) {
#ifdef BUG_CLOSE_FIRST
    atomic { number_is[number] = FREE; waits_for[number] = NONE };
    answer(number)
#else
    answer(number);
    atomic { waits_for[number] = NONE };
    close_number(number)
#endif
}

/* A deadline: the opener is let go, the scan keeps a descriptor and goes on for whoever comes next. */
inline let_go(number) {
    answer(number);
    atomic {
        file = waits_for[number];
#ifndef BUG_SECOND_ANSWER
        waits_for[number] = NONE;
#endif
        keep = kept[file] == NONE;
        if :: keep -> kept[file] = number :: else fi
    };
    if
    :: !keep -> close_number(number)
    :: else
    fi
}

inline answer_if_waiting(number, which) {
    if
    :: waits_for[number] == which -> answer_and_close(number)
    :: else
    fi
}

/* Everybody who waits for the file is answered; how, does not matter here. */
inline conclude(which) {
    answer_if_waiting(0, which);
    answer_if_waiting(1, which);
    if
    :: kept[which] != NONE -> atomic { n = kept[which]; kept[which] = NONE }; close_number(n)
    :: else
    fi;
    scan_is[which] = idle
}

inline worker_gone(worker, which) {
    atomic { judges[worker] = NONE; generation[worker]++; tries[which]++ };
    if
    :: tries[which] < TRIES -> scan_is[which] = queued
    :: else ->
#ifdef BUG_FORGOTTEN
        atomic { waits_for[0] = NONE; waits_for[1] = NONE };
#endif
        conclude(which) /* by the failure policy */
    fi
}

inline read_event() {
    atomic {
        if
        :: nempty(queue) ->
            queue?opener;
            n = 0;
            do
            :: n < NUMBERS && number_is[n] != FREE -> n++
            :: else -> break
            od;
            if
            :: n == NUMBERS -> opener_is[opener] = done; opener = NONE /* no number left: the kernel refuses the open */
            :: else -> RULE_READ_QUESTION(n); asked_by[n] = opener; holds[n] = opener; age[n] = 0; file = FILE_OF(opener)
            fi
        :: empty(queue) -> opener = NONE
        fi
    };
    if
    :: opener == NONE
    :: else ->
        if
        :: answer_and_close(n) /* by policy or from the cache */
        :: atomic {
            waits_for[n] = file;
            if :: scan_is[file] == idle -> scan_is[file] = queued :: else fi /* else it joins */
        }
        fi
    fi
}

inline hear_engine() {
    atomic {
        worker = NONE;
        if
        :: nempty(to_gate) ->
            to_gate?what, worker, turn;
            if
            :: turn != generation[worker] || judges[worker] == NONE -> worker = NONE /* of one that was killed */
            :: else -> file = judges[worker]
            fi
        :: empty(to_gate)
        fi
    };
    if
    :: worker == NONE
    :: worker != NONE && what == reply -> judges[worker] = NONE; conclude(file)
    :: worker != NONE && what == lost -> worker_gone(worker, file)
    fi
}

inline dispatch() {
    atomic {
        worker = 0;
        do
        :: worker < WORKERS ->
            file = 0;
            do
            :: file < FILES && !(judges[worker] == NONE && scan_is[file] == queued) -> file++
            :: else -> break
            od;
            if
            :: file < FILES && nfull(to_worker[worker]) ->
                judges[worker] = file; scan_is[file] = running; to_worker[worker]!generation[worker]
            :: else
            fi;
            worker++
        :: else -> break
        od
    }
}

inline look_at_age(number) {
    if
    :: waits_for[number] != NONE && age[number] < DEADLINE -> age[number]++
    :: waits_for[number] != NONE && age[number] >= DEADLINE -> let_go(number)
    :: else
    fi
}

/* A worker that is past its welcome: its opener was let go long ago. */
inline end_if_overdue(number) {
    if
    :: judges[number] != NONE && kept[judges[number]] != NONE -> file = judges[number]; worker_gone(number, file)
    :: else
    fi
}

inline tick() {
    look_at_age(0);
    look_at_age(1);
    end_if_overdue(0);
    end_if_overdue(WORKERS - 1)
}

#define SOMETHING_TO_DO (nempty(queue) || nempty(to_gate) || waits_for[0] != NONE || waits_for[1] != NONE || \
                         judges[0] != NONE || judges[WORKERS - 1] != NONE)

active proctype Gate() provided (gate_lives && !gate_stopped) {
    byte n, opener, file, worker, turn;
    mtype what = reply;
    bool keep;
#ifdef BUG_INHERITED
    group_holders++; /* an engine process got a copy, and outlives the gate */
#endif
end:
    do
    :: SOMETHING_TO_DO ->
        read_event();
        hear_engine();
        dispatch();
        tick();
        atomic { gate_beats = true; n = 0; opener = 0; file = 0; worker = 0; turn = 0; keep = false; what = reply }
    od
}

/* --- what goes wrong, and who sees it */

active proctype Fate() {
    byte i;
    if
    :: atomic { gate_lives -> gate_lives = false; drop_group() }
    :: gate_stopped = true
    :: skip
    fi
}

/* Kills a gate that has not said in time that it turns. It may be wrong about that: the model has no clock. */
active proctype Guard() {
    byte i;
end:
    do
    :: atomic { gate_beats -> gate_beats = false }
#ifndef BUG_NO_GUARD
    :: atomic { gate_stopped && gate_lives -> gate_lives = false; drop_group() }
#endif
    od
}

/* Nothing can happen any more: then nobody may wait. */
active proctype Judge() {
    byte i;
    timeout;
    do
    :: i < OPENERS -> assert(opener_is[i] == done); i++
    :: else -> break
    od
}

init {
    byte i;
    atomic {
        do
        :: i < OPENERS -> run Opener(i); i++
        :: else -> break
        od
    }
}

#ifdef LIVENESS
ltl every_open_ends { [] (opener_is[0] == waits -> <> (opener_is[0] == done)) }
#endif
