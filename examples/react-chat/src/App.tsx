import { useState } from 'react';
import { Announcer } from './components/Announcer.js';
import { Icon } from './components/Icon.js';
import { Pane } from './components/Pane.js';
import { PersonTabs } from './components/PersonTabs.js';
import { nameOf } from './people.js';

/** A user id as the protocol allows it. */
const USER_ID = /^[A-Za-z0-9_.:-]{1,64}$/;

/** The whole page: one person per `?user=`, or Alice and Bob side by side. */
export function App() {
  const [people] = useState(peopleOfAddress);
  const [shown, setShown] = useState(people[0] ?? 'alice');
  const isAlone = people.length === 1;
  return (
    <Announcer>
      <main className={isAlone ? 'page page-alone' : 'page'}>
        <h1 className="visually-hidden">Rejoinder: {people.map(nameOf).join(' and ')}</h1>
        {!isAlone && (
          <header className="page-header">
            <img src="/icon.svg" alt="" width="26" height="26" />
            <strong>Rejoinder</strong>
            <p>Cut a network, write, restore it: nothing is lost.</p>
            <a href="?user=carol" target="_blank" rel="noreferrer">
              Join as Carol <Icon name="window" />
            </a>
          </header>
        )}
        {!isAlone && <PersonTabs people={people} shown={shown} show={setShown} />}
        <div className="panes">
          {people.map((userId) => (
            <div key={userId} className={userId === shown ? 'place place-shown' : 'place'}>
              <Pane userId={userId} partnerId={firstPartner(userId, people)} isAlone={isAlone} />
            </div>
          ))}
        </div>
      </main>
    </Announcer>
  );
}

function peopleOfAddress(): string[] {
  const asked = new URLSearchParams(location.search).getAll('user');
  const people = [...new Set(asked.filter((userId) => USER_ID.test(userId)))];
  return people.length > 0 ? people.slice(0, 2) : ['alice', 'bob'];
}

function firstPartner(userId: string, people: readonly string[]): string {
  return people.find((other) => other !== userId) ?? (userId === 'alice' ? 'bob' : 'alice');
}
