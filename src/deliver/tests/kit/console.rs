//! The console, which has no server and answers nothing: what of the kit applies to it.

use std::io;

use super::*;

/// A pipe that nobody reads any more.
struct Broken;

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::Error::new(io::ErrorKind::BrokenPipe, "nobody reads"))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn consoles_pass() {
    let (world, console) = (World::new(), channel("console", Target::Console));
    let worker = world.run(&console);
    for (number, name) in hostile_names().iter().enumerate() {
        let group = number as u64 + 1;
        world.store.group(group, &console.name);
        world.store.revise(group, |group, incidents| spite(group, incidents, name));
        world.pass(&console, A_WHILE).await;
        world.done(world.owe(&console, group, Reason::Post), DeliveryOutcome::Sent).await;
    }
    hold_harmless(&String::from_utf8(world.printed.lock().unwrap().clone()).unwrap());
    world.finish(worker).await;
}

#[tokio::test]
async fn a_console_that_nobody_reads_is_a_target_that_takes_nothing() {
    let (mut world, console) = (World::new(), channel("console", Target::Console));
    Arc::get_mut(&mut world.context).unwrap().console = Console::to(Broken);
    let worker = world.run(&console);
    let id = world.owe(&console, 1, Reason::Post);
    world.store.until("refused", |kept| kept.rows[&id].error.is_some()).await;
    world.pass(&console, Duration::from_secs(240)).await;
    let row = world.store.row(id);
    assert_eq!((row.outcome, row.attempts), (None, 1));
    world.stop.cancel();
    worker.await.unwrap().unwrap();

    let world = World::over(world.store);
    let worker = world.run(&console);
    assert!(!world.done(id, DeliveryOutcome::Sent).await.possible_duplicate);
    world.finish(worker).await;
}
